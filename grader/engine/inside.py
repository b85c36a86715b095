"""The other side of the sandbox: reads a job from standard input, writes one line of JSON a criterion.

Never imports or runs learner code; the checks read files. The process limits itself before it opens the first file.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any, TextIO

from labs.spec import resolve_params, run_criterion

SUBMISSION, MATERIAL, SERVER = Path("/submission"), Path("/material"), Path("/server")


def main() -> None:
    """Run the job's criteria one after the other; a line written is a result that stands."""
    job = json.loads(sys.stdin.buffer.read())
    limits = job["limits"]
    for kind, value in (
        (resource.RLIMIT_AS, limits["memory_bytes"]),
        (resource.RLIMIT_CPU, limits["cpu_seconds"]),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_NOFILE, limits["open_files"]),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (value, value))
    # What a check prints is no result, nor what a program prints that it starts: only this loop has the way out.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(2, 1)
        _run(job, out)


def _run(job: dict[str, Any], out: TextIO) -> None:
    for criterion in job["criteria"]:
        params = resolve_params(criterion["params"], job["lang"], MATERIAL, SERVER)
        result = run_criterion(criterion["id"], criterion["points"], criterion["check"], SUBMISSION, params)
        print(result.model_dump_json(), file=out, flush=True)


if __name__ == "__main__":
    main()
