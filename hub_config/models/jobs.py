"""The worker's side of a job: a line of JSON and then bytes, both ways, over standard input and output.

The rule: only this loop has the way out; what a library prints goes nowhere.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

Handler = Callable[[dict[str, Any], bytes], tuple[dict[str, Any], bytes]]


def serve(load: Callable[[], Handler]) -> None:
    """Load a model, say so, and answer jobs until the input ends."""
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)
        handle = load()
        _send(out, {"ready": True}, b"")
        while line := sys.stdin.buffer.readline():
            header = json.loads(line)
            answer, payload = handle(header, sys.stdin.buffer.read(header["bytes"]))
            _send(out, answer, payload)


def _send(out: Any, header: dict[str, Any], payload: bytes) -> None:
    out.write(json.dumps({**header, "bytes": len(payload)}).encode() + b"\n" + payload)
    out.flush()
