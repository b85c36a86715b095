"""What the portal asks of the Hub and of a learner's own server. The rule: always as that person, by their own token."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import quote, urlencode

import httpx
from pydantic import ValidationError

from grader.roles import formgrader_of
from hub_config.portal.config import PortalSettings
from hub_config.portal.i18n import N_
from labs.self_check import SelfCheck

Problem = Literal["not_running", "too_large", "missing", "refused", "slow", "checking", "no_check", "check_slow"]
PROBLEMS: dict[Problem, str] = {
    "not_running": N_("Your lab server is not running. Open the lab, save your work, and hand in again."),
    "too_large": N_(
        "The files are too large. Make the largest file smaller (the list shows each limit) and hand in again."
    ),
    "missing": N_(
        "The lab's folder was not found on your server. Open the lab once, save your work, and hand in again."
    ),
    "refused": N_(
        "Your server could not complete this. The reason is below; if you cannot mend it, show it to your instructor."
    ),
    "slow": N_(
        "Your server did not answer in time. Wait a minute, look whether a receipt has come, and try again if not."
    ),
    "checking": N_("A self-check is already running on your server. Wait until it is done, and check again."),
    "no_check": N_("The self-check could not be done. You can hand in all the same; the reason is below."),
    "check_slow": N_("The self-check took too long and was stopped. You can hand in all the same."),
}
#: What the proxy and the Hub answer in the place of a server that is not there.
NOT_RUNNING = (302, 424, 502, 503, 504)
#: A learner's server is theirs: it may send anything, for ever.
MOST_BYTES, MOST_SECONDS = 4_000_000, 150
_TOO_LARGE = re.compile(r"\b413\b|too large|너무 큽니다", re.IGNORECASE)
_MISSING = re.compile(r"fetch the lab|no such file or directory|not found|does not exist", re.IGNORECASE)


class ServerProblem(Exception):
    """A learner's server did not do what was asked; `detail` is its own last word, never trusted."""

    def __init__(self, kind: Problem, detail: str = "") -> None:
        super().__init__(kind)
        self.kind, self.detail = kind, detail


class Hub:
    """The Hub's login, and the servers behind its proxy."""

    def __init__(self, settings: PortalSettings, transport: httpx.BaseTransport | None = None) -> None:
        self._settings = settings
        self._client = httpx.Client(timeout=httpx.Timeout(120, connect=5), transport=transport, trust_env=False)

    @property
    def callback(self) -> str:
        return f"{self._settings.prefix}oauth_callback"

    def authorize_url(self, state: str) -> str:
        """Where a browser goes to sign in."""
        query = {
            "client_id": self._settings.oauth_client_id,
            "redirect_uri": self.callback,
            "response_type": "code",
            "state": state,
        }
        return f"{self._settings.base_path}hub/api/oauth2/authorize?{urlencode(query)}"

    def token_for(self, code: str) -> str | None:
        """Exchange the login's code for the person's token; None for a code that the Hub refuses."""
        form = {
            "client_id": self._settings.oauth_client_id,
            "client_secret": self._settings.api_token.get_secret_value(),
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.callback,
        }
        answer = self._client.post(f"{self._settings.hub_api_url}/oauth2/token", data=form, timeout=10)
        token = _json(answer).get("access_token") if answer.status_code == 200 else None
        return token if isinstance(token, str) and token else None

    def spawn_url(self, name: str, next_path: str) -> str:
        """The Hub's page that starts a server, or goes straight on where it runs."""
        return f"{self._settings.base_path}hub/spawn/{quote(name, safe='@')}?{urlencode({'next': next_path})}"

    def formgrader_url(self, course: str, lab: str, notebook: str = "") -> str:
        """Formgrader on a course's lab (on its notebook, or on all of them), in the server that its instructors share."""
        account = formgrader_of(course)
        path = "/".join(["formgrader/gradebook", lab, *([notebook] if notebook else []), ""])
        return self.spawn_url(account, self.user_path(account, path))

    def course_server_url(self, name: str, course: str) -> str:
        """JupyterLab in the server that a course's instructors share, with each one's own arrangement of it."""
        account = formgrader_of(course)
        return self.spawn_url(account, self.user_path(account, f"lab/workspaces/{name}"))

    def user_path(self, name: str, rest: str) -> str:
        """A path on a person's own server."""
        return f"{self._settings.base_path}user/{quote(name, safe='@')}/{quote(rest)}"

    def server(self, name: str, token: str) -> Literal["ready", "starting", "stopping", "off"]:
        """How a person's server stands at the Hub; ServerProblem where the Hub does not say."""
        answer = self._ask("GET", f"users/{quote(name, safe='')}", token)
        servers = _json(answer).get("servers") if answer.status_code == 200 else None
        if not isinstance(servers, dict):
            raise _hub_problem(answer)
        found = servers.get("")
        if not isinstance(found, dict):
            return "off"
        if found.get("pending"):
            return "stopping" if found["pending"] == "stop" else "starting"
        return "ready" if found.get("ready") else "off"

    def start(self, name: str, token: str) -> Literal["starting", "queued", "answering"]:
        """Ask the Hub to start a person's server; `queued` where too many start now, `answering` where it runs.

        A start that fails at once is a start too: the caller looks again and counts. ServerProblem where the Hub is away.
        """
        answer = self._ask("POST", f"users/{quote(name, safe='')}/server", token)
        if answer.status_code in (201, 202, 500):
            return "starting"
        if answer.status_code == 429:
            return "queued"
        if answer.status_code == 400:
            return "answering"
        raise _hub_problem(answer)

    def is_ready(self, name: str, token: str) -> bool:
        """Whether a person's server answers them through the proxy."""
        try:
            return self._call("GET", name, "api/status", token, timeout=10).status_code == 200
        except ServerProblem:
            return False

    def has_notebook(self, name: str, token: str, lab: str, notebook: str) -> bool:
        """Whether a notebook of the lab lies on a person's server."""
        path = f"api/contents/{lab}/{notebook}"
        status = self._call("GET", name, path, token, params={"content": "0"}, timeout=20).status_code
        if status in NOT_RUNNING:
            raise ServerProblem("not_running")
        return status == 200

    def sizes(self, name: str, token: str, folder: str) -> dict[str, int] | None:
        """The files of a folder on a person's server and their bytes; None where the server does not answer."""
        try:
            answer = self._call("GET", name, f"api/contents/{folder}", token, params={"content": "1"}, timeout=10)
        except ServerProblem:
            return None
        if answer.status_code == 404:
            return {}
        listed = _json(answer).get("content") if answer.status_code == 200 else None
        if not isinstance(listed, list):
            return None
        files = [entry for entry in listed if isinstance(entry, dict) and isinstance(entry.get("size"), int)]
        return {str(entry.get("name")): entry["size"] for entry in files}

    def fetch(self, name: str, token: str, course: str, lab: str, notebooks: Sequence[str]) -> None:
        """Put a lab's files on a person's server, unless its notebooks lie there."""
        if all(self.has_notebook(name, token, lab, notebook) for notebook in notebooks):
            return
        query = {"course_id": course, "assignment_id": lab}
        answer = self._call("POST", name, "assignments/fetch", token, params=query)
        if answer.status_code in NOT_RUNNING:
            raise ServerProblem("not_running")
        if answer.status_code != 200 or not all(
            self.has_notebook(name, token, lab, notebook) for notebook in notebooks
        ):
            raise ServerProblem("refused", f"fetch: HTTP {answer.status_code}")

    def self_check(self, name: str, token: str, lab: str) -> SelfCheck:
        """Have the visible criteria run on a person's server; ServerProblem says why they could not."""
        answer = self._call("POST", name, "practicum/self-check", token, params={"lab": lab})
        if answer.status_code == 200:
            try:
                return SelfCheck.model_validate_json(answer.content)
            except ValidationError:
                raise ServerProblem("no_check", "the answer could not be read") from None
        if answer.status_code == 404:
            raise ServerProblem("missing")
        said = str(_json(answer).get("message", ""))[:300]
        if answer.status_code in (409, 504) and said:
            raise ServerProblem("checking" if answer.status_code == 409 else "check_slow")
        raise ServerProblem("not_running") if answer.status_code in NOT_RUNNING else ServerProblem("no_check", said)

    def submit(self, name: str, token: str, course: str, lab: str) -> None:
        """Hand in a lab from a person's server; ServerProblem says why it could not be."""
        query = {"course_id": course, "assignment_id": lab}
        answer = self._call("POST", name, "assignments/submit", token, params=query)
        if answer.status_code in (403, 404, *NOT_RUNNING):
            raise ServerProblem("not_running")
        said = _json(answer)
        if answer.status_code != 200 or said.get("success") is not True:
            raise _problem_of(str(said.get("value", "")) or f"HTTP {answer.status_code}")

    def _ask(self, method: str, path: str, token: str) -> httpx.Response:
        """Ask the Hub's own API as a person."""
        headers = {"Authorization": f"token {token}"}
        try:
            return self._client.request(method, f"{self._settings.hub_api_url}/{path}", headers=headers, timeout=20)
        except httpx.TimeoutException:
            raise ServerProblem("slow") from None
        except httpx.HTTPError:
            raise ServerProblem("not_running") from None

    def _call(self, method: str, name: str, path: str, token: str, **more: Any) -> httpx.Response:
        url = f"{self._settings.hub_url.rstrip('/')}{self.user_path(name, path)}"
        until, content = time.monotonic() + MOST_SECONDS, bytearray()
        try:
            with self._client.stream(method, url, headers={"Authorization": f"token {token}"}, **more) as answer:
                for chunk in answer.iter_bytes():
                    content += chunk
                    if len(content) > MOST_BYTES or time.monotonic() > until:
                        raise ServerProblem("refused", "the answer was too long")
        except httpx.TimeoutException:
            raise ServerProblem("slow") from None
        except httpx.HTTPError:
            raise ServerProblem("not_running") from None
        return httpx.Response(answer.status_code, content=bytes(content))


def _hub_problem(answer: httpx.Response) -> ServerProblem:
    """Why the Hub did not do it: it may not for this login, or it is not itself now."""
    return ServerProblem("refused" if answer.status_code in (200, 401, 403, 404) else "not_running")


def _problem_of(traceback: str) -> ServerProblem:
    last = next((line.strip() for line in reversed(traceback.splitlines()) if line.strip()), "")[:300]
    last = last.partition("ExchangeError: ")[2] or last
    kind: Problem = "too_large" if _TOO_LARGE.search(last) else "missing" if _MISSING.search(last) else "refused"
    return ServerProblem(kind, last)


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
