"""The other side of the sandbox: reads a job from standard input, writes one line of JSON a deliverable.

It limits itself before it opens the first file. The rule: what was written stands, so that a file that ends the process takes
only itself and what comes after it away; texts come first, decoders last.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path

from grader.similarity.fingerprints import fingerprint, material_marks
from grader.similarity.prints import Wanted

SUBMISSION, MATERIAL = Path("/submission"), Path("/material")


def main() -> None:
    """Make the fingerprints that the job asks for."""
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
    # What a decoder prints is no fingerprint.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(2, 1)
        if job["material"]:
            print(json.dumps(sorted(material_marks(MATERIAL, job["lang"]))), file=out, flush=True)
        for wanted in job["wanted"]:
            part = fingerprint(SUBMISSION, Wanted.model_validate(wanted), job["lang"])
            print(part.model_dump_json(), file=out, flush=True)


if __name__ == "__main__":
    main()
