"""The child that runs one criterion's check: code of a pack over files of a submission, and none of the submission's code.

The rule: a file that takes a check over gains that criterion's points at the most; each criterion has a process of its own.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NoReturn

from grader.engine.warm.child import CHANNEL, lay_out_descriptors
from labs.spec import resolve_params, run_criterion

MATERIAL, SERVER = Path("/material"), Path("/server")


def become_check(
    descriptor: int, outputs: tuple[int, int], submission: Path, lang: str, job: dict[str, Any]
) -> NoReturn:
    """Run the job's criterion and send its result, framed; what a check prints is no result."""
    lay_out_descriptors(descriptor, outputs)
    criterion = job["criterion"]
    params = resolve_params(criterion["params"], lang, MATERIAL, SERVER)
    result = run_criterion(criterion["id"], criterion["points"], criterion["check"], submission, params)
    data = result.model_dump_json().encode("utf-8", "replace")
    with os.fdopen(os.dup(CHANNEL), "wb") as out:
        out.write(len(data).to_bytes(4, "big") + data)
    os._exit(0)
