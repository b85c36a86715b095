"""The child that drives a kernel of another language: nbclient runs one cell after the other as they come over the channel.

The rule: it runs no code of a submission and the kernel cannot look into it; it holds no later cell, and ends as its kernel ended.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import shutil
import signal
import socket
from pathlib import Path
from typing import Any, NoReturn

from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbformat.v4 import new_code_cell, new_notebook

from grader.engine.warm.child import CHANNEL, lay_out_descriptors
from grader.engine.warm.shell import Outputs

PR_SET_DUMPABLE = 4


def become_driver(
    descriptor: int, outputs: tuple[int, int], order: dict[str, Any], inbox: Path, work: Path, limits: dict[str, Any]
) -> NoReturn:
    """Keep the channel only, start the kernel, and serve cells until the channel closes."""
    lay_out_descriptors(descriptor, outputs)
    # The kernel runs under the same user: before it is there, nobody can trace this process or read it through /proc.
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    Path(order["runtime"]).mkdir(mode=0o700)
    asyncio.run(_drive(order, inbox, work, limits["output_bytes"]))
    os._exit(0)


class Client(NotebookClient):
    """nbclient, which keeps no more of a cell's outputs than their limit, and the kernel's own answer."""

    kept: Outputs
    reply: dict[str, Any]

    def output(self, _outs: Any, msg: Any, _display_id: Any, _cell_index: int) -> None:
        kind, content = msg["msg_type"], msg["content"]
        if kind == "stream":
            self.kept.write(str(content["name"]), str(content["text"]))
        else:
            self.kept.add({**content, "output_type": kind})

    def clear_output(self, _outs: Any, _msg: Any, _cell_index: int) -> None:
        self.kept.kept.clear()

    def handle_comm_msg(self, _outs: Any, _msg: Any, _cell_index: int) -> None:
        """Widgets are nobody's here."""

    def answered(self, execute_reply: dict[str, Any], **_more: Any) -> None:
        self.reply = execute_reply["content"]


async def _drive(order: dict[str, Any], inbox: Path, work: Path, output_bytes: int) -> None:
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=CHANNEL))
    manager = AsyncKernelManager(
        kernel_name=order["kernel"], transport="ipc", connection_file=f"{order['runtime']}/kernel.json"
    )
    client = Client(new_notebook(), km=manager, allow_errors=True, timeout=None, raise_on_iopub_timeout=False)
    client.on_cell_executed = client.answered
    problem = await _start(client, work)
    if not problem:
        # After the start, so that no file of a submission takes part in it.
        shutil.copytree(inbox, work, dirs_exist_ok=True)
    _send(writer, problem)
    await writer.drain()
    try:
        if not problem:
            await _serve(reader, writer, client, output_bytes)
    except asyncio.IncompleteReadError:
        return  # the channel closed: there is no more cell
    except DeadKernelError:
        await _end_as(manager)


async def _start(client: Client, work: Path) -> str:
    """Start the kernel; why it did not start, or nothing."""
    try:
        await client.async_start_new_kernel(cwd=str(work))
        await client.async_start_new_kernel_client()
    except Exception as error:  # whatever a kernel's program does
        return f"{type(error).__name__}: {error}"[:2000]
    return ""


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client: Client, output_bytes: int) -> None:
    busy = asyncio.Event()
    interrupts: set[asyncio.Task[None]] = set()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, _interrupt, client.km, busy, interrupts)
    while True:
        size = int.from_bytes(await reader.readexactly(4), "big")
        cell = json.loads(await reader.readexactly(size))
        busy.set()
        said = await _run(client, cell, output_bytes)
        busy.clear()
        _send(writer, said)
        await writer.drain()


async def _run(client: Client, cell: dict[str, str], output_bytes: int) -> dict[str, Any]:
    """What came of a cell, in the form in which a Python child tells it; done is 1 where the kernel says so itself."""
    client.kept, client.reply = Outputs(), {}
    client.kept.begin(output_bytes)
    client.nb.cells = [new_code_cell(cell["source"])]
    await client.async_execute_cell(client.nb.cells[0], 0)
    outputs, status = client.kept.taken(), client.reply.get("status")
    named = [output.get("ename") for output in outputs if output["output_type"] == "error"]
    # As nbgrader does: an error that the kernel only answers, and shows nowhere, is an output too.
    error = status == "error" and client.reply.get("ename") not in named
    shown = {key: client.reply.get(key) for key in ("ename", "evalue", "traceback")}
    return {"nonce": cell["nonce"], "done": int(status == "ok"), "error": {"output_type": "error", **shown} if error else None,
            "outputs": outputs, "tampered": [], "offsets": []}  # fmt: skip


def _interrupt(manager: Any, busy: asyncio.Event, running: set[asyncio.Task[None]]) -> None:
    # One that comes when its cell has just ended would hit the next one.
    if busy.is_set():
        running.add(asyncio.ensure_future(manager.interrupt_kernel()))


async def _end_as(manager: Any) -> None:
    """End by the signal that ended the kernel, which says to the template what limit it was."""
    code = await manager.provisioner.poll()
    if code is not None and code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)


def _send(writer: asyncio.StreamWriter, said: Any) -> None:
    data = json.dumps(said, default=str).encode("utf-8", "replace")
    writer.write(len(data).to_bytes(4, "big") + data)
