"""Inside the sandbox: builds a lab as a learner gets it, makes a reference submission, or says where a check broke.

The rule: the pack's code runs here only, under limits that were set before it was imported, and what it makes leaves as a bounded
archive of plain files.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import tarfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TypeVar

from labs.catalog import LabFolder, work_on
from labs.checks import CheckResult, load_check
from labs.manifest import Lab, load
from labs.references import automatic, build_reference
from labs.spec import resolve_params
from labs.texts import Lang

W = TypeVar("W", bound=str)
OUT, MATERIAL, SUBMISSION = Path("/out"), Path("/material"), Path("/submission")
COURSE = "preview"
LIMITS = ((resource.RLIMIT_AS, 6_000_000_000), (resource.RLIMIT_FSIZE, 500_000_000), (resource.RLIMIT_NPROC, 256),
          (resource.RLIMIT_CPU, 300), (resource.RLIMIT_NOFILE, 512), (resource.RLIMIT_CORE, 0))  # fmt: skip


def build(lab: LabFolder, languages: Sequence[Lang]) -> None:
    """In each language: the lab's files as they are handed out, the notebook as a page, and where a solution is left in them."""
    # Here, because a reference submission needs neither nbgrader nor nbconvert, which take seconds.
    from grader.authors.page import leaks_of, render_page
    from grader.authors.release import generate
    from labs.build import build_lab

    def one(lang: Lang) -> None:
        root, out = Path("/tmp") / lang, OUT / lang  # noqa: S108 - memory of this sandbox
        source = root / "source" / lab.id
        source.parent.mkdir(parents=True)
        build_lab(lab, COURSE, lang, source)
        shutil.copytree(generate(root, COURSE, lab.id), out / "files")
        (out / "page.html").write_text(render_page(out / "files", lab.id, lang), "utf-8")
        (out / "leaks.json").write_text(json.dumps(leaks_of(source, out / "files", lab)), "utf-8")

    _each(languages, one)


def references(lab: LabFolder, lang: Lang, names: Sequence[str]) -> None:
    """The files of reference submissions."""
    _each(names, lambda name: build_reference(lab, name, MATERIAL, OUT / name, lang))


def _each(wanted: Sequence[W], do: Callable[[W], None]) -> None:
    """Do the same for each; one that fails leaves why in the place of its files."""
    for one in wanted:
        try:
            do(one)
        except Exception as error:  # whatever a pack's code raises is what its author asks for
            shutil.rmtree(OUT / one, ignore_errors=True)
            (OUT / f"{one}.problem").write_text(said_of(error), "utf-8")


def trace(lab: LabFolder, lang: Lang) -> None:
    """Why checks broke: by criterion, the exception and the line of the pack that it came from."""
    told: dict[str, str] = {}
    for criterion in automatic(lab.lab):
        params = resolve_params(criterion.params, lang, MATERIAL, lab.folder / "server")
        try:
            CheckResult.model_validate(load_check(str(criterion.check))(SUBMISSION, **params))
        except Exception as error:  # whatever a pack's code raises is what its author asks for
            told[criterion.id] = said_of(error)
    (OUT / "told.json").write_text(json.dumps(told), "utf-8")


def said_of(error: BaseException) -> str:
    """An exception in one line, with the file and the line it came from."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "grader/authors" not in frame.filename]
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:400]}{place}"


JOBS: dict[str, Callable[..., None]] = {"build": build, "references": references, "trace": trace}


def pack_up(out: IO[bytes]) -> None:
    """Write the plain files of the output folder as an archive; links and what else there is stay behind."""
    with tarfile.open(fileobj=out, mode="w|") as archive:
        for path in sorted(OUT.rglob("*")):
            if path.is_file() and not path.is_symlink():
                archive.add(path, path.relative_to(OUT).as_posix(), recursive=False)


def main() -> None:
    """Do one job, read from the standard input; what goes wrong is the last line of the standard error, and exit code 1."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a pack prints is no part of the archive
    job = json.load(sys.stdin)
    for kind, most in LIMITS:
        resource.setrlimit(kind, (most, most))
    try:
        folder = Path(job["folder"])
        work_on(job["pack"], folder.parents[1])
        JOBS[job["do"]](LabFolder(job["lab"], job["pack"], folder, load(folder / "lab.yaml", Lab)), **job["with"])
    except BaseException as error:
        print(f"\n{said_of(error)}", file=sys.stderr, flush=True)
        os._exit(1)
    with out:
        pack_up(out)
    os._exit(0)


if __name__ == "__main__":
    main()
