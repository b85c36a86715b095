"""Fetches a learner's recorded AI calls of a lab from the gateway. The rule: a gateway that is not there stops nothing."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from grader.engine.again.report import Recorded

#: Where the recording of the submission at hand is shown in the sandbox, and of how many bytes each count of calls is.
RECORDINGS, RECORDING = Path("/replay"), "calls.jsonl"
COUNT_BYTES = 8
MAX_BYTES = 50_000_000
TIMEOUT_SECONDS = 30


def fetch_recording(course: str, lab: str, learner: str, target: Path) -> Recorded:
    """Write the recording to a file, empty where there is none; say how it went."""
    import httpx

    target.write_bytes(b"")
    gateway = os.environ.get("PRACTICUM_GATEWAY_URL", "").rstrip("/")
    if not gateway:
        return "no_gateway"
    address = f"{gateway}/{quote(course, safe='')}/{quote(lab, safe='')}/replay"
    token = {"Authorization": f"Bearer {os.environ.get('PRACTICUM_RECORDS_TOKEN', '')}".strip()}
    try:
        with (
            httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False) as client,
            client.stream("GET", address, params={"learner": learner}, headers=token) as answer,
            target.open("wb") as out,
        ):
            answer.raise_for_status()
            for chunk in answer.iter_bytes():
                out.write(chunk)
                if out.tell() > MAX_BYTES:
                    break
    except httpx.HTTPError:
        target.write_bytes(b"")
        return "unreachable"
    return _kept(target)


def _kept(target: Path) -> Recorded:
    size = target.stat().st_size
    if size > MAX_BYTES:
        target.write_bytes(b"")
        return "too_large"
    return "there" if size else "none"
