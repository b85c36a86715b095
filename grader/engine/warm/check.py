"""The child that runs a submission's checks: code of a pack over files of a submission, and none of the submission's code.

The rule: what a check prints is no result, and a program that a check starts, such as a decoder, can neither trace this process
nor send results.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any, NoReturn

from grader.engine.warm.child import CHANNEL, lay_out_descriptors
from labs.spec import resolve_params, run_criterion

PR_SET_DUMPABLE = 4
MATERIAL, SERVER = Path("/material"), Path("/server")


def become_check(
    descriptor: int, outputs: tuple[int, int], submission: Path, lang: str, job: dict[str, Any]
) -> NoReturn:
    """Run the job's criteria one after the other, and send the result of each, framed; they share what they have decoded."""
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    lay_out_descriptors(descriptor, outputs)
    with os.fdopen(os.dup(CHANNEL), "wb") as out:
        for criterion in job["criteria"]:
            params = resolve_params(criterion["params"], lang, MATERIAL, SERVER)
            result = run_criterion(criterion["id"], criterion["points"], criterion["check"], submission, params)
            data = result.model_dump_json().encode("utf-8", "replace")
            out.write(len(data).to_bytes(4, "big") + data)
            out.flush()
    os._exit(0)
