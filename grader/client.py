"""Calls the records service as the owner of the Hub token in the environment.

The rule: what the service refuses is told in the words that it sends.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import httpx

from grader.records.queue import Taken, TaskResult
from labs.texts import UserError


class Refusal(UserError):
    """The records service refused; the message is in the user's language."""

    def __init__(self, message: str) -> None:
        super().__init__(message, message)


class RecordsClient:
    """Calls the records service as the owner of the Hub token in the environment."""

    def __init__(self) -> None:
        env = os.environ
        token = env.get("PRACTICUM_RECORDS_TOKEN") or env.get("JUPYTERHUB_API_TOKEN", "")
        self.lang = "en" if env.get("PRACTICUM_LANG") == "en" else "ko"
        self.http = httpx.Client(
            base_url=env.get("PRACTICUM_RECORDS_URL", ""),
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(300, connect=10),
            trust_env=False,
        )

    def __enter__(self) -> RecordsClient:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.http.close()

    def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One request; Refusal says in the user's language what went wrong."""
        try:
            answer = self.http.request(method, path, **more)
        except httpx.HTTPError as error:
            said = {"ko": "기록 서비스에 연결하지 못했습니다. 잠시 뒤 다시 시도하세요.",
                    "en": "The records service could not be reached; try again shortly."}  # fmt: skip
            raise Refusal(f"{said[self.lang]} ({type(error).__name__})") from error
        if answer.is_error:
            with contextlib.suppress(ValueError):
                body = answer.json()
                raise Refusal(str(body.get(self.lang) or body.get("detail")))
            raise Refusal(f"{answer.status_code} {answer.reason_phrase}")
        return answer

    def download(self, path: str, target: Path) -> None:
        """Stream a file to its place; it stands there whole or not at all."""
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        with self.http.stream("GET", path) as answer, part.open("wb") as out:
            answer.raise_for_status()
            for chunk in answer.iter_bytes():
                out.write(chunk)
        part.replace(target)

    def labs(self, course: str) -> list[dict[str, Any]]:
        return list(self.call("GET", f"/courses/{course}/labs").json())

    def lab(self, course: str, lab: str) -> dict[str, Any]:
        """One released lab; Refusal where it is not handed out."""
        for released in self.labs(course):
            if released["lab"] == lab:
                return released
        said = {"ko": f"실습 {lab}은(는) 아직 배포되지 않았습니다.", "en": f"lab {lab} is not handed out"}
        raise Refusal(said[self.lang])

    def submissions(self, course: str, lab: str) -> list[dict[str, Any]]:
        return list(self.call("GET", f"/courses/{course}/labs/{lab}/submissions").json())

    def claim(self, course: str, lab: str, holder: str, *, force: bool, takeover: bool) -> list[Taken]:
        """Take the lab's submissions that wait for grading."""
        asked = {"holder": holder, "force": force, "takeover": takeover}
        answer = self.call("POST", f"/courses/{course}/labs/{lab}/grading/claim", json=asked).json()
        return [Taken.model_validate(row) for row in answer]

    def settle(self, course: str, results: list[TaskResult]) -> dict[str, str]:
        """Send results of submissions that were taken; the verdict on each."""
        body = [result.model_dump(mode="json") for result in results]
        return dict(self.call("POST", f"/courses/{course}/grading/results", json=body).json())

    def let_go(self, course: str, lab: str, holder: str) -> None:
        """Give back what was taken and is not graded."""
        self.call("POST", f"/courses/{course}/labs/{lab}/grading/let-go", json={"holder": holder})

    def upload(
        self, method: str, path: str, files: list[tuple[str, Path]], more: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """Send files under their relative names, with more fields of the form."""
        with contextlib.ExitStack() as stack:
            parts = [("files", (name, stack.enter_context(file.open("rb")))) for name, file in files]
            return dict(self.call(method, path, files=parts, data=more or {}).json())
