"""A learner's server in the sandbox: its own home, a read-only system, and no sight of anybody else's.

The server outlives a Hub that dies (no `--die-with-parent`), so a Hub that comes back finds it by its process id.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path
from subprocess import Popen
from typing import IO, Any

from jupyterhub.spawner import SimpleLocalProcessSpawner
from jupyterhub.utils import can_connect, random_port
from tornado import web
from traitlets import Callable, Int, Unicode

from grader.sandbox import Sandbox, lab_folders, missing, why_missing
from hub_config import cgroup
from hub_config.person import Person
from hub_config.quick import seccomp
from hub_config.quick.join import Bounds
from hub_config.supervisor import descendants, is_zombie

JUPYTER_CONFIG = "/run/practicum/jupyter"
LOOK_SECONDS = 0.05
#: What of the Hub's environment variables a server gets; everything else stays outside.
PREFIXES = ("JUPYTERHUB_", "PRACTICUM_", "OPENAI_", "JUPYTER_", "MEM_", "CPU_")


class SandboxSpawner(SimpleLocalProcessSpawner):  # type: ignore[misc]
    """Starts each server in bubblewrap; a course's formgrader also shows the course's folder."""

    port: int
    born = group = ""
    #: How many of the first processes in the sandbox are told that the server should end.
    listeners = 2
    homes = Unicode(help="The folder of all homes.").tag(config=True)
    courses = Unicode(help="The folder of nbgrader's course folders.").tag(config=True)
    jupyter_config = Unicode(help="The folder of Jupyter configurations, by role and language.").tag(config=True)
    fonts = Unicode(help="A folder of fonts that labs draw with.").tag(config=True)
    course_languages = Callable(dict, help="Gives each course's language: runs are made while the Hub is up.").tag(
        config=True
    )
    max_processes = Int(500, help="How many processes and threads a server may have.").tag(config=True)
    max_file_bytes = Int(10_000_000_000, help="The largest file that a server may write.").tag(config=True)

    @property
    def person(self) -> Person:
        return Person.of(self.user, self.course_languages())

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in env.items() if name.startswith(PREFIXES)}
        return {**kept, **self.person.environment(kept), "JUPYTER_CONFIG_PATH": JUPYTER_CONFIG}

    def sandbox(self) -> Sandbox:
        """What this person's server may see."""
        person = self.person
        home = Path(self.homes) / person.name
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        course = person.graded_course
        return Sandbox(
            read_only=[
                (Path(self.jupyter_config) / person.configuration, JUPYTER_CONFIG),
                *([(Path(self.fonts), self.fonts)] if self.fonts and Path(self.fonts).is_dir() else []),
            ],
            writable=[
                (home, person.home),
                *([(Path(self.courses) / course, person.course_root)] if course and person.course_root else []),
            ],
            hidden=[] if course else lab_folders(),
            env=self.get_env(),
            cwd=person.home,
            home=person.home,
            network=True,
            dies_with_parent=False,
        )

    async def start(self) -> tuple[str, int]:
        """Start the server; SandboxMissing where it could only run bare."""
        why = why_missing()
        if why:
            raise missing(why)
        self.port = self.port or random_port()
        sandbox = self.sandbox()
        log = Path(self.homes).parent / "logs" / f"server-{self.user.name}{self.name and '-'}{self.name}.log"
        with log.open("ab") as out:
            await self.launch(sandbox, [*self.cmd, *self.get_args()], out)
        await self.comes_up(log)
        return (self.ip or "127.0.0.1", self.port)

    async def comes_up(self, log: Path) -> None:
        """Wait until the server takes connections; HTTPError where it has ended instead.

        JupyterHub asks a server that has ended until `http_timeout` is over, and whoever pressed Open waits for it.
        """
        while not can_connect(self.ip or "127.0.0.1", self.port):
            if (code := await self.poll()) is not None:
                raise web.HTTPError(500, f"The server ended with exit code {code} before it answered: {log} says why.")
            await asyncio.sleep(LOOK_SECONDS)

    async def launch(self, sandbox: Sandbox, argv: list[str], out: IO[bytes]) -> None:
        """Run the server's command in the sandbox."""
        limits = Bounds(file_bytes=self.max_file_bytes).limits()
        argv = ["prlimit", *(f"--{name}={value}" for name, value in limits), *argv]
        with seccomp.descriptors() as filters:
            command = cgroup.entering(self.groups(), sandbox.command(argv, seccomp=filters))
            self.holds(Popen(
                command, env=sandbox.environment(), stdout=out, stderr=out, start_new_session=True, pass_fds=filters
            ))  # fmt: skip

    def groups(self) -> list[str]:
        """Make the control groups that hold all of this server's processes together."""
        # Another Practicum on this machine may have a person of that name; a port there is once.
        self.group = f"server-{self.port}"
        return cgroup.make(self.group, cgroup.Together(self.mem_limit, self.max_processes, self.cpu_limit))

    def holds(self, process: Popen[bytes]) -> None:
        """Note the sandbox that the server runs in: with it everything of the server ends."""
        self.proc, self.pid, self.born = process, process.pid, birth(process.pid)

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), **({"born": self.born, "group": self.group} if self.pid else {})}

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        self.born, self.group = state.get("born", ""), state.get("group", "")

    async def _signal(self, sig: int) -> bool:
        """Signal everything of the server: bubblewrap and what runs in it are one process group."""
        # After a restart of the machine or its container the same number may be another program's, the Hub's own too.
        if not self.pid or not self.born or birth(self.pid) != self.born:
            return False
        os.killpg(self.pid, sig)
        return True

    async def poll(self) -> int | None:
        """None while the server runs; else its exit code, and nothing that it left runs on."""
        # bubblewrap ends with its command; its init, in the same group, waits for whatever that one left.
        if self.pid and is_zombie(self.pid):
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        group = self.group  # forgotten with its end
        ended = await super().poll()
        if ended is not None and group:
            cgroup.remove_soon(group)
        return ended  # type: ignore[no-any-return]

    async def stop(self, now: bool = False) -> None:
        """End the server and leave nothing of it behind."""
        group = self.pid  # poll() forgets it as soon as the server has ended
        if not await self._signal(0):
            return
        if not now:
            # Not bubblewrap, which would end at once and take the server's time to end well: its init, which does not
            # listen, and the server.
            for pid in descendants(group)[: self.listeners]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
            await self.wait_for_death(self.term_timeout)
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
        await self.wait_for_death(self.kill_timeout)


def birth(pid: int) -> str:
    """When a process started, in clock ticks since the machine did; empty for one that has ended."""
    try:
        state, *others = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state == "Z" else others[18]
