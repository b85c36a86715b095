"""The IPython shell of a child: like a kernel's, but what it shows is collected instead of sent.

The rule: nothing is kept beyond a cell's limit of output.
"""

from __future__ import annotations

import io
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

Output = dict[str, Any]


class Outputs:
    """The outputs of the running cell, in nbformat's form and in their order."""

    def __init__(self) -> None:
        self.kept: list[Output] = []
        self.left = 0
        self.truncated = False

    def begin(self, max_bytes: int) -> None:
        self.kept, self.left, self.truncated = [], max_bytes, False

    def write(self, name: str, text: str) -> None:
        text = text[: self._room(len(text))]
        last = self.kept[-1] if self.kept else {}
        if text and last.get("output_type") == "stream" and last["name"] == name:
            last["parts"].append(text)
        elif text:
            self.kept.append({"output_type": "stream", "name": name, "parts": [text]})

    def add(self, output: Output) -> None:
        size = len(repr(output))
        if self._room(size) == size:
            self.kept.append(output)

    def _room(self, wanted: int) -> int:
        given = min(wanted, self.left)
        self.left -= given
        self.truncated |= given < wanted
        return given

    def taken(self) -> list[Output]:
        """Everything of the cell; streams as one text each."""
        return [{"output_type": "stream", "name": o["name"], "text": "".join(o["parts"])} if "parts" in o else o
                for o in self.kept]  # fmt: skip


class Stream(io.TextIOBase):
    """Standard output or error of the cells."""

    encoding = "utf-8"

    def __init__(self, outputs: Outputs, name: str, descriptor: int) -> None:
        self._outputs, self.name, self._descriptor = outputs, name, descriptor

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._outputs.write(self.name, text)
        return len(text)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return False


class Publisher(DisplayPublisher):
    """Collects what cells display."""

    outputs: Outputs

    def publish(self, data: Any, metadata: Any = None, source: Any = None, **more: Any) -> None:  # noqa: ARG002
        if more.get("update"):
            return
        self.outputs.add({"output_type": "display_data", "data": dict(data), "metadata": dict(metadata or {})})

    def clear_output(self, wait: bool = False) -> None:  # noqa: ARG002
        self.outputs.kept.clear()


class Hook(DisplayHook):
    """Collects the value of a cell's last expression."""

    outputs: Outputs

    def start_displayhook(self) -> None:
        pass

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        self.outputs.add({"output_type": "execute_result", "data": dict(format_dict), "metadata": dict(md_dict or {}),
                          "execution_count": None})  # fmt: skip

    def finish_displayhook(self) -> None:
        pass


class Shell(InteractiveShell):
    """Runs cells; an error is an output, as a kernel shows it."""

    outputs: Outputs

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        self.outputs.add({"output_type": "error", "ename": str(getattr(etype, "__name__", etype)), "evalue": str(evalue),
                          "traceback": [str(line) for line in stb]})  # fmt: skip

    def enable_gui(self, gui: Any = None) -> None:
        """There is no window system."""

    def init_virtualenv(self) -> None:
        """The environment is the engine's own."""


def make_shell() -> Shell:
    """Make the shell once, in the template; forks have it ready."""
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.history_length = 0
    config.InteractiveShell.colors = "nocolor"
    shell = Shell.instance(config=config, display_pub_class=Publisher, displayhook_class=Hook)
    outputs = Outputs()
    for part in (shell, shell.display_pub, shell.displayhook):
        object.__setattr__(part, "outputs", outputs)
    # What IPython makes at its first cell is made here, once, and not in every fork.
    shell.run_cell("None", store_history=False)  # type: ignore[no-untyped-call]
    return shell
