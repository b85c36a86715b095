"""`kill -9` of each service in the middle of work: it comes back by itself, and nothing that was acknowledged is lost."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
from openai import OpenAI, OpenAIError
from running import Installation, processes, token_of
from sqlalchemy import create_engine

from grader.records import journal, work
from grader.records.db import reading

pytestmark = [pytest.mark.browser, pytest.mark.long]
COURSE, LAB, LOGIN = "ai-work-en", "book-proposal", "robin"


class Learner:
    """Hands in again and again, and remembers each receipt that it was given."""

    def __init__(self, site: Installation, token: str) -> None:
        self.site, self.token = site, token
        self.receipts: list[str] = []
        self.ai_receipts: list[str] = []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._submit), threading.Thread(target=self._ask)]

    def __enter__(self) -> Learner:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def _submit(self) -> None:
        url = f"{self.site.url}/services/portal/api/v1/courses/{COURSE}/labs/{LAB}/submissions"
        number = 0
        while not self.stopping.is_set():
            number += 1
            with contextlib.suppress(httpx.HTTPError):
                files = [("files", ("proposal.md", f"try {number}".encode()))]
                answer = httpx.post(url, headers={"Authorization": f"Bearer {self.token}"}, files=files, timeout=30)
                if answer.status_code == 201:
                    self.receipts.append(answer.json()["id"])
            time.sleep(0.05)

    def _ask(self) -> None:
        port = int(self.site.url.rsplit(":", 1)[1]) + 20
        with OpenAI(
            base_url=f"http://127.0.0.1:{port}/{COURSE}/{LAB}/v1", api_key=self.token, max_retries=0, timeout=30
        ) as ai:
            while not self.stopping.is_set():
                with contextlib.suppress(OpenAIError):
                    message = [{"role": "user", "content": "Hi"}]
                    answer = ai.chat.completions.with_raw_response.create(
                        model="lab-default", messages=message, max_tokens=4
                    )
                    self.ai_receipts.append(answer.headers["x-practicum-receipt"])
                time.sleep(0.2)


def until(what: str, seconds: float, done: object) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError, AssertionError):
            if done():  # type: ignore[operator]
                return
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds} s: {what}")


@pytest.fixture
def learner(practicum: Installation) -> Iterator[Learner]:
    with Learner(practicum, token_of(practicum, LOGIN)) as learner:
        yield learner


def _again(practicum: Installation, name: str, killed: set[int]) -> bool:
    """Whether as many processes run as were killed, all of them others."""
    found = set(processes(practicum, name))
    return len(found) == len(killed) and not found & killed


@pytest.mark.timeout(400)
def test_every_service_comes_back_and_nothing_acknowledged_is_lost(practicum: Installation, learner: Learner) -> None:
    headers = {"Authorization": f"Bearer {learner.token}"}
    server = f"{practicum.url}/user/{LOGIN}/api/status"
    httpx.post(f"{practicum.url}/hub/api/users/{LOGIN}/server", headers=headers, timeout=60)
    until("the learner's server answers", 60, lambda: httpx.get(server, headers=headers).status_code == 200)
    started = httpx.get(server, headers=headers).json()["started"]
    until("work goes on", 60, lambda: learner.receipts and learner.ai_receipts)

    for name in ("portal", "gateway", "hub", "proxy", "model"):
        killed = set(processes(practicum, name))
        assert killed, name
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        before, ai_before = len(learner.receipts), len(learner.ai_receipts)
        until(f"{name} runs again", 60, lambda n=name, k=killed: _again(practicum, n, k))
        until(f"submissions after {name}", 60, lambda b=before: len(learner.receipts) > b + 2)
        until(f"AI calls after {name}", 90, lambda b=ai_before: len(learner.ai_receipts) > b + 1)
        until(f"the server after {name}", 60, lambda: httpx.get(server, headers=headers).status_code == 200)
    # The same server all the time: nobody's kernel was lost with the Hub or the proxy.
    assert httpx.get(server, headers=headers).json()["started"] == started

    learner.__exit__()
    engine = create_engine(f"sqlite:///{practicum.data / 'records' / 'records.db'}")
    with reading(engine) as session:
        assert journal.verify(session) is None
        stored = {receipt.id for receipt in work.submissions(session, COURSE, learner=LOGIN)}
    engine.dispose()
    assert set(learner.receipts) <= stored
    port = int(practicum.url.rsplit(":", 1)[1]) + 20
    kept = httpx.get(f"http://127.0.0.1:{port}/receipts", params={"course": COURSE}, headers=headers).text
    assert [receipt for receipt in learner.ai_receipts if receipt not in kept] == []
