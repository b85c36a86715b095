"""What is missing or wrong in a lab, as far as its files tell without running anything of the pack.

The rule: it reads and runs nothing; what a check does is found out by running it in the sandbox (`grader/authors`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from labs.catalog import LabFolder
from labs.findings import TO_WRITE, LabFinding, to_write, wrong
from labs.manifest import Criterion, for_language
from labs.prose import MAX_BYTES, language_findings, prose_findings
from labs.references import GOOD, RAW_AI, automatic, fails, reference_names
from labs.texts import LANGUAGES, Text

ALL_POINTS = 100


def static_findings(lab: LabFolder) -> list[LabFinding]:
    """Everything that a lab's files say is missing or wrong, file by file."""
    looks: tuple[Callable[[LabFolder], Iterator[LabFinding]], ...] = (
        _briefs, _pairs_of_files, _points, _texts, _keys, lambda lab: prose_findings(lab.folder / "lab.md"),
        _references, _links, _left_open,
    )  # fmt: skip
    return [finding for look in looks for finding in look(lab)]


def _briefs(lab: LabFolder) -> Iterator[LabFinding]:
    for lang in LANGUAGES:
        found = [lab.folder / "learner" / f"{name}.{lang}.md" for name in ("brief", "task")]
        if not any(path.is_file() and path.read_text("utf-8", errors="replace").strip() for path in found):
            yield wrong(
                f"learner/brief.{lang}.md", "", "의뢰서가 없거나 비어 있습니다.", "The brief is missing or empty."
            )


def _pairs_of_files(lab: LabFolder) -> Iterator[LabFinding]:
    """A handed-out file of one language has a file of the other."""
    for path in sorted((lab.folder / "learner").rglob("*")):
        name = path.relative_to(lab.folder).as_posix()
        for lang, other in (LANGUAGES, LANGUAGES[::-1]):
            if f".{lang}." not in path.name or not path.is_file():
                continue
            twin = path.name.replace(f".{lang}.", f".{other}.")
            if not (path.parent / twin).is_file():
                yield wrong(
                    name, "", f"다른 언어의 파일이 없습니다: {twin}", f"The other language's file is missing: {twin}"
                )
            if path.suffix == ".md" and path.stat().st_size < MAX_BYTES:
                yield from language_findings(name, "", lang, path.read_text("utf-8", errors="replace"))


def _points(lab: LabFolder) -> Iterator[LabFinding]:
    if lab.lab.max_points != ALL_POINTS:
        yield wrong("lab.yaml", "criteria.points", f"배점의 합이 {lab.lab.max_points:g}점입니다. 100점으로 맞추세요.",
                    f"The points add up to {lab.lab.max_points:g}; make it 100.")  # fmt: skip
    if not lab.lab.measures and not lab.lab.pass_percent:
        yield wrong("lab.yaml", "pass_percent", "통과 기준이 0%입니다.", "The pass mark is 0 percent.")
    judged = [criterion for criterion in lab.lab.criteria if criterion.review]
    if not judged and not lab.lab.measures:
        yield wrong("lab.yaml", "criteria", "강사가 직접 채점하는 항목(review)이 없습니다. 채점 함수는 글이나 그림의 좋고 나쁨을 알지 못합니다.",
                    "No criterion is judged by a person (review): a check does not know a good text or picture.")  # fmt: skip
    for criterion in judged:
        if criterion.review and criterion.review.levels[-1].points:
            yield wrong("lab.yaml", f"criteria.{criterion.id}.review.levels",
                        "가장 낮은 수준이 0점이 아닙니다.", "The lowest level is not 0 points.")  # fmt: skip


def _texts(lab: LabFolder) -> Iterator[LabFinding]:
    for field, text in _all_texts(lab.lab):
        yield from language_findings("lab.yaml", f"{field}.ko", "ko", text.ko)
        yield from language_findings("lab.yaml", f"{field}.en", "en", text.en)


def _all_texts(value: Any, field: str = "") -> Iterator[tuple[str, Text]]:
    """Every text of a manifest, by the field's path."""
    if isinstance(value, Text):
        yield field, value
    elif isinstance(value, BaseModel):
        if isinstance(text := getattr(value, "text", None), Text):
            yield field, text
        for name in type(value).model_fields:
            yield from _all_texts(getattr(value, name), f"{field}.{name}" if field else name)
    elif isinstance(value, tuple):
        for number, one in enumerate(value):
            yield from _all_texts(one, f"{field}.{getattr(one, 'id', number)}")


def _keys(lab: LabFolder) -> Iterator[LabFinding]:
    """Keys that parameters name are there, in both languages."""
    for criterion in automatic(lab.lab):
        for name, value in criterion.params.items():
            for lang in LANGUAGES:
                told = for_language(value, lang)
                if isinstance(told, str) and told.startswith("server/") and not (lab.folder / told).is_file():
                    yield wrong("lab.yaml", f"criteria.{criterion.id}.params.{name}", f"{told} 파일이 없습니다.",
                                f"The file {told} is not there.")  # fmt: skip


def _references(lab: LabFolder) -> Iterator[LabFinding]:
    names = reference_names(lab)
    if GOOD not in names:
        yield wrong("reference/good/", "", "좋은 예시 제출물이 없습니다.", "There is no good reference submission.")
    if lab.lab.ai.endpoints and RAW_AI not in names:
        yield to_write("reference/raw_ai/", "", "AI의 첫 답을 읽지 않고 낸 제출물이 없습니다. 통과하지 못하는지 확인할 수 있어야 합니다.",
                       "There is no reference of an AI's first answer, unread: it has to fail.")  # fmt: skip
    known = {criterion.id for criterion in automatic(lab.lab)}
    for name in names:
        if (aim := fails(name)) and aim not in known:
            yield wrong(f"reference/{name}", "", f"'{aim}'은(는) 자동으로 채점하는 기준이 아닙니다.",
                        f"'{aim}' is no criterion with a check.")  # fmt: skip
    if not lab.lab.measures:
        for criterion in automatic(lab.lab):
            yield from _failing(criterion, names)


def _failing(criterion: Criterion, names: list[str]) -> Iterator[LabFinding]:
    if criterion.id not in map(fails, names):
        yield wrong(f"reference/fail-{criterion.id}/", "", "이 기준에서만 점수를 잃는 예시 제출물이 없습니다.",
                    "There is no reference submission that fails just this criterion.")  # fmt: skip


def _links(lab: LabFolder) -> Iterator[LabFinding]:
    """What is handed out must not be a link: it would hand out what it leads to."""
    for path in sorted((lab.folder / "learner").rglob("*")):
        if path.is_symlink():
            yield wrong(path.relative_to(lab.folder).as_posix(), "", "링크입니다. 가리키는 파일이 배포됩니다.",
                        "This is a link: what it leads to would be handed out.")  # fmt: skip


def _left_open(lab: LabFolder) -> Iterator[LabFinding]:
    profession = lab.folder.parents[1] / "profession.yaml"
    for path in [*sorted(lab.folder.rglob("*")), profession]:
        if (
            path.suffix not in (".md", ".yaml", ".json", ".txt")
            or not path.is_file()
            or path.stat().st_size > MAX_BYTES
        ):
            continue
        name = path.name if path == profession else path.relative_to(lab.folder).as_posix()
        for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1):
            if TO_WRITE in line:
                told = line.partition(TO_WRITE)[2].strip()[:120]
                yield to_write(name, number, f"아직 쓸 곳: {told}", f"Still to write: {told}")


def unreadable(folder: Path, error: Exception) -> LabFinding:
    """The finding for manifests that cannot be read."""
    return wrong(folder.name, "", f"읽을 수 없습니다. {error}", f"Cannot be read. {error}")
