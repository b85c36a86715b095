"""A server extension of every person's server: it asks the portal whether it may be put away, and ends itself by the Hub.

The rule: what counts as use is what somebody does and what their kernels run, not what an open page asks for by itself; and a
server that gets no answer stays.
"""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from jupyterlab_server.workspaces_handler import WorkspacesHandler
from tornado import web
from tornado.httpclient import AsyncHTTPClient

from labs.texts import Text

RETRY_SECONDS = 60.0
WARNING = Text(
    ko="실습 서버를 한동안 쓰지 않아 {when}에 끕니다. 저장한 파일은 그대로 있고, 노트북은 다시 열어 첫 칸부터 실행하면 됩니다.",
    en="This server has not been used for a while and is put away at {when}. Saved files stay; notebooks start again from "
    "their first cell.",
)
KEEP = Text(ko="서버 계속 쓰기", en="Keep the server")


class Watch:
    """One server's use, and the warning that stands."""

    def __init__(self, app: Any) -> None:
        self._web, self._kernels, self._log = app.web_app, app.kernel_manager, app.log
        self.ends_at: datetime | None = None

    def used_at(self) -> datetime:
        """When the server was last used; while a kernel runs something that is now."""
        if any(kernel["execution_state"] == "busy" for kernel in self._kernels.list_kernels()):
            return datetime.now(UTC)
        used: datetime = self._web.last_activity()
        return used

    def note(self, handler: Any) -> None:
        """Count a request as use, unless an open page makes it by itself: it reads by the API, and keeps how it is arranged."""
        reads = handler.request.method in ("GET", "HEAD", "OPTIONS") and isinstance(handler, APIHandler)
        by_itself = reads or isinstance(handler, WorkspacesHandler)
        if getattr(handler, "_jupyter_current_user", None) and not by_itself:
            self._web.settings["practicum_last_activity"] = datetime.now(UTC)
            self.ends_at = None

    async def run(self) -> None:
        """Ask as often as the portal wants to be asked."""
        while True:
            try:
                seconds = await self.look()
            except Exception as error:
                self._log.warning("The portal does not say whether this server may be put away: %s", error)
                self.ends_at, seconds = None, RETRY_SECONDS
            await asyncio.sleep(seconds)

    async def look(self) -> float:
        """Ask once, end the server where its time is over, and say when to ask again."""
        since = self.used_at()
        url = f"{os.environ['PRACTICUM_RECORDS_URL']}/servers/idle"
        answer = await _call(url, "POST", body=json.dumps({"since": since.isoformat()}))
        ends_at = answer["ends_at"] and datetime.fromisoformat(answer["ends_at"])
        is_unused = self.used_at() <= since
        self.ends_at = ends_at if is_unused else None
        if answer["is_over"] and is_unused:
            self._log.warning("Not used since %s: this server is put away.", since)
            user, name = os.environ["JUPYTERHUB_USER"], os.environ.get("JUPYTERHUB_SERVER_NAME", "")
            path = f"users/{quote(user, safe='')}/{f'servers/{quote(name)}' if name else 'server'}"
            await _call(f"{os.environ['JUPYTERHUB_API_URL']}/{path}", "DELETE")
        return float(answer["ask_again_seconds"])


async def _call(url: str, method: str, body: str | None = None) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {os.environ['JUPYTERHUB_API_TOKEN']}", "Content-Type": "application/json"}
    answer = await AsyncHTTPClient().fetch(url, method=method, headers=headers, body=body, request_timeout=30)
    found: dict[str, Any] = json.loads(answer.body or b"{}")
    return found


class IdleHandler(APIHandler):
    """What an open page asks and tells of the server's use."""

    def initialize(self, watch: Watch) -> None:
        self.watch = watch

    @web.authenticated
    def get(self) -> None:
        """The warning in words, where one stands; the page puts in the time, as its clock shows it."""
        ends_at, lang = self.watch.ends_at, os.environ.get("PRACTICUM_LANG", "ko")
        told = {"ends_at": ends_at.isoformat(), "warning": WARNING.in_(lang), "keep": KEEP.in_(lang)} if ends_at else {}
        self.finish(json.dumps(told))

    @web.authenticated
    def post(self) -> None:
        """Somebody is at the page, or wants to keep the server; that it was asked is the use."""
        self.set_status(204)


def load_jupyter_server_extension(app: Any) -> None:
    """Count what is used, and watch where a Hub started this server."""
    watch, web_app = Watch(app), app.web_app
    log = web_app.log_request

    def note_and_log(handler: Any) -> None:
        watch.note(handler)
        log(handler)

    # Not its setting: JupyterHub's own extension, which may come later, sets that.
    web_app.log_request = note_and_log
    # Its own count takes every look of an open page for use.
    APIHandler._track_activity = False
    address = url_path_join(web_app.settings["base_url"], "practicum/idle")
    web_app.add_handlers(".*$", [(address, IdleHandler, {"watch": watch})])
    if {"PRACTICUM_RECORDS_URL", "JUPYTERHUB_API_URL", "JUPYTERHUB_API_TOKEN", "JUPYTERHUB_USER"} <= os.environ.keys():
        app.io_loop.add_callback(watch.run)


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "hub_config.idle"}]
