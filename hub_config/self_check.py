"""A server extension of a learner's own server: the self-check of a lab, as the portal's page before handing in asks for it.

The rule: the checks run in a process of their own, in the learner's sandbox, one at a time and within a time.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web

#: Below what the portal waits for.
CHECK_SECONDS = 100
LAB = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", re.ASCII)


class SelfCheckHandler(APIHandler):
    """Runs `labs.self_check` on a lab's folder and answers with what it printed."""

    checking = asyncio.Lock()

    @web.authenticated
    async def post(self) -> None:
        """409 while another check runs, 404 without the lab's folder, 422 where it cannot be checked, 504 after the time."""
        lab = self.get_argument("lab", "")
        folder = Path(self.settings["server_root_dir"]).expanduser() / lab
        if not LAB.fullmatch(lab) or not folder.is_dir():
            self._say(404, "no such folder")
        elif self.checking.locked():
            self._say(409, "a check is running")
        else:
            async with self.checking:
                await self._check(folder)

    async def _check(self, folder: Path) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "labs.self_check", str(folder), cwd=str(folder), stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        try:
            out, err = await asyncio.wait_for(process.communicate(), CHECK_SECONDS)
        except TimeoutError:
            self._say(504, f"not done after {CHECK_SECONDS} s")
            return
        finally:
            # What a check started goes with it.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        if process.returncode:
            lines = err.decode("utf-8", "replace").strip().splitlines()
            self._say(422, lines[-1] if lines else f"ended with {process.returncode}")
            return
        self.finish(out)

    def _say(self, status: int, message: str) -> None:
        self.set_status(status)
        self.finish(json.dumps({"message": message}))


def load_jupyter_server_extension(app: Any) -> None:
    """Give the server its address."""
    base = app.web_app.settings["base_url"]
    app.web_app.add_handlers(".*$", [(url_path_join(base, "practicum/self-check"), SelfCheckHandler)])


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "hub_config.self_check"}]
