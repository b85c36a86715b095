"""Forked servers and kernels: how they start, end and are found again, whatever happens to the Hub and the template."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from jupyterhub.utils import random_port
from quick_template import Template, descriptors, running_template
from server_house import RUNS, House, seconds
from taken import processes
from tornado.httpclient import HTTPRequest
from tornado.web import HTTPError
from tornado.websocket import websocket_connect

from hub_config.quick import spawner as module
from hub_config.quick.template import LOOK_SECONDS
from hub_config.spawner import birth
from hub_config.supervisor import descendants

JUPYTER = "import sys; sys.argv[0] = 'jupyter'; from jupyter_server.serverapp import main; main()"
HOW = "import os, sys; print('forked' if os.environ.get('PRACTICUM_NURSERY') else 'alone')"


@pytest.fixture
def template(tmp_path: Path) -> Iterator[Template]:
    with running_template(tmp_path) as template:
        yield template


@pytest.fixture(scope="module")
def common_template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:
    with running_template(tmp_path_factory.mktemp("quick")) as template:
        yield template


@pytest.fixture
def house(common_template: Template, tmp_path: Path) -> House:
    return House(tmp_path / "var", common_template.socket)


def memory_kb(pid: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {name: int(value.split()[0]) for name, value in (line.split(":") for line in lines)}


async def until(done: Any, seconds_: float = 20) -> None:
    deadline = time.monotonic() + seconds_
    while not done():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def ends(spawner: Any) -> Any:
    deadline = time.monotonic() + 20
    while (code := await spawner.poll()) is None:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    return code


# --- start, poll, stop -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "expected"),
    [("pass", 0), ("import sys; sys.exit(7)", 7), ("import sys; sys.exit('in words')", 1), ("1 / 0", 1),
     ("import os; os._exit(9)", 9), ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137)],
)  # fmt: skip
async def test_the_hub_learns_the_exit_code(house: House, code: str, expected: int) -> None:
    spawner = house.spawner("ann", code)
    await spawner.start()
    assert await ends(spawner) == expected


async def test_a_server_that_fails_says_why_in_its_log(house: House) -> None:
    assert "ZeroDivisionError" in await house.says("ann", "1 / 0")


async def test_a_server_that_ends_before_it_answers_is_told_at_once(house: House) -> None:
    """JupyterHub by itself would ask it until its time is over."""
    spawner = house.spawner("ann", "import sys; sys.exit(7)")
    spawner.comes_up = partial(module.QuickSpawner.comes_up, spawner)
    with pytest.raises(HTTPError, match="exit code 7"):
        await asyncio.wait_for(spawner.start(), 20)


async def test_the_end_of_a_server_writes_nothing_of_its_own_in_its_log(house: House) -> None:
    """The sandbox may be empty before its nursery ends what is left in it."""
    spawners = [house.spawner("ann", "pass", server=f"s{number}") for number in range(20)]
    await asyncio.gather(*(spawner.start() for spawner in spawners))
    sandboxes = [spawner.pid for spawner in spawners]
    assert [await ends(spawner) for spawner in spawners] == [0] * 20
    await until(lambda: not any(map(descendants, sandboxes)))
    assert {house.log("ann", f"s{number}").read_text() for number in range(20)} == {""}


async def test_what_is_registered_for_the_end_is_done(house: House) -> None:
    code = """
import atexit, threading, time
atexit.register(print, "at the end")
threading.Thread(target=lambda: (time.sleep(0.3), print("thread"))).start()
"""
    assert (await house.says("ann", code)).split() == ["thread", "at", "the", "end"]


async def test_arguments_and_environment_arrive_as_they_are(house: House) -> None:
    odd = {"PLAIN": "x", "LINES": "a\nb=c", "KOREAN": "한글", "EMPTY": "", "QUOTES": "'\"$(id)`"}
    code = "import json, os, sys; print(json.dumps([sys.argv, dict(os.environ), os.getcwd(), __name__]))"
    spawner = house.spawner("ann", code, "--name=값 1", "*")
    spawner.environment = {f"PRACTICUM_{name}": value for name, value in odd.items()}
    await spawner.start()
    assert await ends(spawner) == 0
    argv, env, cwd, name = json.loads(house.log("ann").read_text())
    assert (argv, cwd, name) == (["-c", "--name=값 1", "*"], "/home/ann", "__main__")
    assert {name: env[f"PRACTICUM_{name}"] for name in odd} == odd


async def test_what_modules_noted_of_the_home_is_this_persons(house: House) -> None:
    """JupyterLab and others note paths below the home while they are imported."""
    code = """
import gc
from jupyterlab.labapp import LabApp
from send2trash import plat_other
print(LabApp().workspaces_dir, LabApp().user_settings_dir, plat_other.HOMETRASH)
word = ".nobody-" + "practicum"
for found in gc.get_objects():
    if type(found) in (list, tuple, dict) and any(type(v) is str and word in v for v in (found.values() if type(found) is dict else found)):
        if found is not globals() and "NOBODYS" not in found and word not in found:
            print("STILL", str(found)[:300])
"""
    said = await house.says("ann", code)
    below = "/home/ann/.jupyter/lab"
    assert said.splitlines() == [f"{below}/workspaces {below}/user-settings /home/ann/.local/share/Trash"]


async def test_another_program_is_run_as_it_is(house: House) -> None:
    spawner = house.spawner("ann", "")
    spawner.cmd = ["/bin/sh", "-c", "echo $USER $0; exit 5"]
    await spawner.start()
    assert await ends(spawner) == 5
    assert house.log("ann").read_text() == "ann /bin/sh\n"


async def test_a_program_that_is_not_there(house: House) -> None:
    spawner = house.spawner("ann", "")
    spawner.cmd = ["/no/such/program"]
    await spawner.start()
    assert await ends(spawner) == 1
    assert "No such file" in house.log("ann").read_text()


async def test_thirty_at_once(house: House) -> None:
    spawners = [house.spawner("ann", RUNS, server=f"s{number}") for number in range(30)]
    await asyncio.gather(*(spawner.start() for spawner in spawners))
    assert [await spawner.poll() for spawner in spawners] == [None] * 30
    await until(lambda: all(len(descendants(spawner.pid)) == 4 for spawner in spawners))
    await asyncio.gather(*(spawner.stop(now=True) for spawner in spawners))
    assert None not in [await spawner.poll() for spawner in spawners]


# --- what happens to the Hub and the template ------------------------------------------------------------------------


async def test_a_template_that_dies_takes_no_server_along(template: Template, tmp_path: Path) -> None:
    house = House(tmp_path / "var", template.socket)
    argument = seconds()
    running = house.spawner("ann", "import time; print('up', flush=True); time.sleep(300)", argument)
    await house.up(running, "ann")
    template.process.send_signal(signal.SIGKILL)
    template.process.wait()
    await asyncio.sleep(0.2)
    assert await running.poll() is None
    assert len(descendants(running.pid)) == 4
    # Meanwhile others start by themselves.
    assert await house.says("bob", HOW) == "alone\n"
    await running.stop()
    assert await running.poll() is not None


async def test_a_hub_that_dies_in_the_middle_of_a_start_leaves_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    argument = seconds()
    monkeypatch.setattr(module, "HOLD", (*module.HOLD, argument))
    pid = os.fork()
    if pid == 0:
        monkeypatch.setattr(module.QuickSpawner, "_order", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        asyncio.run(house.spawner("ann", RUNS).start())
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    await until(lambda: not processes(argument))


async def test_a_template_that_hangs_holds_nobody_up(
    template: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "START_SECONDS", 1.0)
    house = House(tmp_path / "var", template.socket)
    template.process.send_signal(signal.SIGSTOP)
    assert await house.says("ann", HOW) == "alone\n"
    template.process.send_signal(signal.SIGCONT)
    assert await house.says("bob", HOW) == "forked\n"


async def test_a_template_begins_anew_when_a_module_changed(tmp_path: Path) -> None:
    source = tmp_path / "modules" / "warm_and_old.py"
    source.parent.mkdir()
    source.write_text("VALUE = 'old'")
    ask = f"import sys; sys.path.append({str(source.parent)!r}); import warm_and_old; print(warm_and_old.VALUE)"
    env = {**os.environ, "PYTHONPATH": str(source.parent)}
    with running_template(tmp_path, "warm_and_old", env=env) as template:
        house = House(tmp_path / "var", template.socket)
        assert await house.says("ann", ask) == "old\n"
        source.write_text("VALUE = 'new'")
        assert "new" not in await house.says("bob", HOW)  # at once: not from the old template
        assert house.log("bob").read_text() == "alone\n"
        assert template.process.stdout
        assert template.process.stdout.readline() == b"ready\n"
        assert await house.says("kim", ask) == "new\n"


@pytest.mark.long
async def test_a_template_that_waits_and_looks_shares_its_memory_with_every_server(
    template: Template, tmp_path: Path
) -> None:
    """What it touched after a fork would be there twice, once for each server that was forked before."""
    house = House(tmp_path / "var", template.socket)
    running = house.spawner("ann", "import time; print('up', flush=True); time.sleep(300)")
    await house.up(running, "ann")
    assert await house.says("bob", HOW) == "forked\n"  # another order, with another look at the modules
    await asyncio.sleep(LOOK_SECONDS + 1)
    held = memory_kb(template.process.pid)
    nursery, server = descendants(running.pid)[2:4]
    assert held["Shared_Dirty"] > 80_000
    assert held["Private_Dirty"] < 8_000
    assert memory_kb(nursery)["Private_Dirty"] < 8_000
    assert memory_kb(server)["Private_Dirty"] < 8_000
    await running.stop(now=True)


async def test_a_machine_that_cannot_confine_starts_servers_as_ever(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "why_not", lambda: "no Landlock")
    assert await house.says("ann", HOW) == "alone\n"


# --- kernels ---------------------------------------------------------------------------------------------------------


class Jupyter:
    """A forked Jupyter Server, as a client sees it."""

    def __init__(self, spawner: Any, port: int) -> None:
        self.spawner, self.port = spawner, port
        self.client = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers={"Authorization": "token t"}, timeout=30
        )

    async def kernel(self, name: str = "python3") -> str:
        answer = (await self.client.post("/api/kernels", json={"name": name})).raise_for_status()
        return str(answer.json()["id"])

    async def run(self, kernel: str, code: str) -> str:
        """Run a cell; give what it printed, or its error."""
        url = f"ws://127.0.0.1:{self.port}/api/kernels/{kernel}/channels"
        channel = await websocket_connect(HTTPRequest(url, headers={"Authorization": "token t"}))
        header = {
            "msg_id": uuid.uuid4().hex,
            "msg_type": "execute_request",
            "username": "",
            "session": uuid.uuid4().hex,
            "version": "5.3",
        }
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
        message = {"header": header, "parent_header": {}, "metadata": {}, "channel": "shell", "content": content}
        text = ""
        try:
            await channel.write_message(json.dumps(message))
            while True:
                said = json.loads(await asyncio.wait_for(channel.read_message(), 30) or "{}")
                if said.get("parent_header", {}).get("msg_id") != header["msg_id"]:
                    continue
                if said["msg_type"] == "stream":
                    text += said["content"]["text"]
                if said["msg_type"] == "error":
                    text += said["content"]["ename"]
                if said["msg_type"] == "status" and said["content"]["execution_state"] == "idle":
                    return text
        finally:
            channel.close()
            while await channel.read_message() is not None:
                pass


@pytest_asyncio.fixture
async def jupyter(house: House) -> AsyncIterator[Jupyter]:
    port = random_port()
    spawner = house.spawner("ann", JUPYTER, f"--port={port}", "--ServerApp.token=t", "--ServerApp.open_browser=False")
    spawner.port = port
    await spawner.start()
    server = Jupyter(spawner, port)
    for _ in range(200):
        try:
            if (await server.client.get("/api/status")).status_code == 200:
                break
        except httpx.HTTPError:
            await asyncio.sleep(0.05)
    yield server
    await server.client.aclose()
    await spawner.stop()


async def test_a_kernel_is_forked_and_has_the_labs_imports(jupyter: Jupyter) -> None:
    kernel = await jupyter.kernel()
    begun = time.monotonic()
    code = "import os, sys; print('moviepy' in sys.modules, open(f'/proc/{os.getppid()}/comm').read())"
    assert await jupyter.run(kernel, code) == "True lab-nursery\n\n"
    assert time.monotonic() - begun < 5
    assert await jupyter.run(kernel, "print(open('/proc/self/comm').read())") == "lab-kernel\n\n"
    assert await jupyter.run(kernel, "x = 1; 1 / 0") == "ZeroDivisionError"
    assert await jupyter.run(kernel, "print(x)") == "1\n"


async def test_a_kernel_is_interrupted_restarted_and_ended(jupyter: Jupyter) -> None:
    kernel = await jupyter.kernel()
    pid = await jupyter.run(kernel, "import os; print(os.getpid())")
    sleeping = asyncio.create_task(jupyter.run(kernel, "import time; time.sleep(60)"))
    await asyncio.sleep(1)
    (await jupyter.client.post(f"/api/kernels/{kernel}/interrupt")).raise_for_status()
    assert await sleeping == "KeyboardInterrupt"
    (await jupyter.client.post(f"/api/kernels/{kernel}/restart")).raise_for_status()
    assert await jupyter.run(kernel, "import os; print(os.getpid())") != pid
    assert await jupyter.run(kernel, f"os.kill({pid}, 0)") == "ProcessLookupError"
    (await jupyter.client.delete(f"/api/kernels/{kernel}")).raise_for_status()
    assert (await jupyter.client.get("/api/kernels")).json() == []


async def test_a_kernel_that_dies_is_started_again(jupyter: Jupyter) -> None:
    kernel = await jupyter.kernel()
    pid = int(await jupyter.run(kernel, "import os; print(os.getpid())"))
    before = descendants(jupyter.spawner.pid)
    os.kill(before[4], signal.SIGKILL)
    await until(lambda: set(descendants(jupyter.spawner.pid)) - set(before))
    assert int(await jupyter.run(kernel, "import os; print(os.getpid())")) != pid


async def test_kernels_inherit_no_descriptor_and_draw_nothing_alike(jupyter: Jupyter) -> None:
    first, second = await jupyter.kernel(), await jupyter.kernel()
    draw = "import random, numpy, uuid; print(random.random(), numpy.random.rand(), uuid.uuid4())"
    assert len({*(await jupyter.run(first, draw)).split(), *(await jupyter.run(second, draw)).split()}) == 6
    server = descendants(jupyter.spawner.pid)[3]
    held = descriptors(server)
    kernels = descendants(jupyter.spawner.pid)[4:]
    assert len(kernels) == 2
    for kernel in kernels:
        mine = descriptors(kernel)
        assert not {name for name in held & mine if name.startswith("socket:")}
        assert not any("template" in name for name in mine)


async def test_another_kernel_starts_as_ever(jupyter: Jupyter, house: House) -> None:
    spec = house.data / "homes/ann/.local/share/jupyter/kernels/other"
    spec.mkdir(parents=True)
    argv = [sys.executable, "-E", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "other", "language": "python"}))
    kernel = await jupyter.kernel("other")
    assert await jupyter.run(kernel, "import sys; print('moviepy' in sys.modules)") == "False\n"


async def test_when_the_server_ends_its_kernels_end(jupyter: Jupyter) -> None:
    await jupyter.kernel()
    everything = descendants(jupyter.spawner.pid)
    os.kill(everything[3], signal.SIGKILL)
    assert await ends(jupyter.spawner) == 137
    await until(lambda: not [pid for pid in everything if birth(pid)])
