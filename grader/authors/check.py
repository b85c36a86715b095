"""Looks at a lab for its author: its files, what a learner would get, and what the criteria give its reference submissions.

The rule: each reference is checked twice, the second time with the criteria in the other order and in another sandbox; a check that
says something else then depends on order, time or chance.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from grader.authors.report import PAGE, REPORT, LabReport, Step, Tried, state_of
from grader.authors.sandboxed import NotMade, make
from grader.engine.criteria import Checker
from labs.catalog import LabFolder
from labs.checks import BROKE, CriterionResult
from labs.findings import LabFinding, wrong
from labs.lint import static_findings
from labs.manifest import Limits, for_language
from labs.references import GOOD, automatic, broken_promise, reference_names
from labs.texts import LANGUAGES, Lang

MOST = Limits()


@dataclass
class Look:
    """One look at a lab: where it works, what it found so far, and how far it is."""

    lab: LabFolder
    folder: Path
    report: Step
    names: list[str]
    languages: Sequence[Lang]
    done: int = 0
    findings: list[LabFinding] = field(default_factory=list)
    tried: list[Tried] = field(default_factory=list)

    def step(self, what: str) -> None:
        """Say what comes now."""
        deliverables = len(self.lab.lab.deliverables) if GOOD in self.names else 0
        self.report(self.done, 1 + len(self.languages) * (1 + len(self.names)) + deliverables, what)
        self.done += 1

    def given(self, lang: Lang) -> Path:
        """What a learner gets."""
        return self.folder / lang / "files"

    def submission(self, name: str, lang: Lang) -> Path:
        """A reference submission's folder."""
        return self.folder / f"references.{lang}" / name


def check_lab(
    lab: LabFolder, report: Step = lambda *_: None, keep: Path | None = None, languages: Sequence[Lang] = LANGUAGES
) -> LabReport:
    """Everything that is missing or wrong in a lab; with `keep` what a learner would get is kept there beside the report."""
    state = state_of(lab.folder)
    with tempfile.TemporaryDirectory(prefix="practicum-author-") as folder:
        look = Look(lab, Path(folder), report, reference_names(lab), languages, findings=static_findings(lab))
        for lang in _built(look):
            _try_references(look, lang)
        _every_criterion_fails_somewhere(look)
        told = LabReport(
            pack=lab.pack,
            lab=lab.id,
            state=state,
            findings=tuple(dict.fromkeys(look.findings)),
            tried=tuple(look.tried),
        )
        if keep is not None:
            _keep(look.folder, told, keep / lab.pack / lab.id)
    return told


def _built(look: Look) -> list[Lang]:
    """Build what a learner gets; the languages in which that could be done."""
    look.step("build")
    why = _make(look, "build", look.folder, look.languages, languages=look.languages)
    for lang, said in why.items():
        look.findings.append(
            wrong(
                "lab.md",
                lang,
                f"훈련생에게 줄 노트북을 만들 수 없습니다: {said}",
                f"The learner's notebook cannot be built: {said}",
            )
        )
    done = [lang for lang in look.languages if lang not in why]
    for lang in done:
        for file, what in json.loads((look.folder / lang / "leaks.json").read_text("utf-8")):
            look.findings.append(
                wrong(f"{lang}: {file}", "", f"배포되는 파일에 풀이나 채점 열쇠가 남아 있습니다: {what[:80]}",
                      f"A solution or a key is left in what is handed out: {what[:80]}")
            )  # fmt: skip
    return done


def _make(look: Look, what: str, out: Path, wanted: Sequence[str], **with_: Any) -> dict[str, str]:
    """Have the sandbox make several things; why not, for those that it did not make."""
    try:
        make(look.lab, what, out, seconds=60 + 60 * len(wanted), **with_)
    except NotMade as error:
        return dict.fromkeys(wanted, str(error))
    notes = {one: out / f"{one}.problem" for one in wanted}
    return {
        one: note.read_text("utf-8")[:600] if note.is_file() else "nothing was made"
        for one, note in notes.items()
        if note.is_file() or not (out / one).is_dir()
    }


def _try_references(look: Look, lang: Lang) -> None:
    backwards = look.lab.lab.model_copy(update={"criteria": look.lab.lab.criteria[::-1]})
    with (
        closing(_checker(look.lab, look.given(lang), lang)) as first,
        closing(_checker(replace(look.lab, lab=backwards), look.given(lang), lang)) as second,
    ):
        look.step(f"reference {lang}")
        out = look.folder / f"references.{lang}"
        why = _make(look, "references", out, look.names, lang=lang, names=look.names, material=look.given(lang))
        for name in look.names:
            look.step(f"{name} {lang}")
            if name not in why:
                _try(look, name, lang, first, second)
                continue
            look.findings.append(
                wrong(
                    f"reference/{name}",
                    lang,
                    f"예시 제출물을 만들 수 없습니다: {why[name]}",
                    f"The reference cannot be made: {why[name]}",
                )
            )
        if lang == look.languages[0] and look.submission(GOOD, lang).is_dir():
            _every_deliverable_counts(look, lang, first)


def _checker(lab: LabFolder, material: Path, lang: Lang) -> Checker:
    """A lab of somebody else's may not ask for more than labs get by default."""
    own = lab.lab.limits
    bounded = {name: min(getattr(own, name), getattr(MOST, name)) for name in Limits.model_fields}
    return Checker(lab, material, lang, own.model_copy(update=bounded))


def _try(look: Look, name: str, lang: Lang, first: Checker, second: Checker) -> None:
    submission = look.submission(name, lang)
    results = first.check(submission)
    again = {result.id: result for result in second.check(submission)}
    broken = broken_promise(look.lab.lab, name, results)
    look.tried.append(Tried(name=name, lang=lang, results=tuple(results), broken=broken))
    if broken is not None:
        look.findings.append(LabFinding(file=f"reference/{name}", where=lang, said=broken))
    for result in results:
        if result != again.get(result.id):
            look.findings.append(
                wrong("lab.yaml", f"criteria.{result.id}.check",
                      f"같은 제출물({name}, {lang})을 두 번 채점하니 결과가 다릅니다. 순서, 시각, 우연에 기대지 않아야 합니다.",
                      f"Checked twice, the same submission ({name}, {lang}) gets different results: a check may not depend on order, time or chance.")
            )  # fmt: skip
    look.findings += _raised(look, name, lang, results)


def _raised(look: Look, name: str, lang: Lang, results: list[CriterionResult]) -> Iterator[LabFinding]:
    """A learner is told that a file may be damaged; the author is told the exception."""
    broke = [result.id for result in results if any(finding.found == BROKE for finding in result.findings)]
    if not broke:
        return
    out = look.folder / "traces" / f"{name}.{lang}"
    try:
        make(look.lab, "trace", out, lang=lang, submission=look.submission(name, lang), material=look.given(lang))
        told = json.loads((out / "told.json").read_text("utf-8"))
    except NotMade as error:
        told = dict.fromkeys(broke, str(error))
    for criterion in broke:
        why = str(told.get(criterion, "?"))[:500]
        yield wrong("lab.yaml", f"criteria.{criterion}.check", f"채점 함수가 오류로 멈췄습니다({name}, {lang}): {why}",
                    f"The check raised an error ({name}, {lang}): {why}")  # fmt: skip


def _every_deliverable_counts(look: Look, lang: Lang, checker: Checker) -> None:
    """Without a deliverable the good reference loses points, or a person's judgement names it."""
    good = look.submission(GOOD, lang)
    judged = {path for c in look.lab.lab.criteria if c.review for path in c.review.looks_at}
    full = {result.id: result.points for result in next(t for t in look.tried if t.name == GOOD).results}
    for number, deliverable in enumerate(look.lab.lab.deliverables):
        path = for_language(deliverable.path, lang)
        look.step(f"{GOOD} − {path}")
        if not (good / path).is_file():
            look.findings.append(
                wrong(
                    f"reference/{GOOD}",
                    path,
                    "좋은 예시에 이 제출물이 없습니다.",
                    "The good reference lacks this deliverable.",
                )
            )
            continue
        without = look.folder / "without"
        shutil.rmtree(without, ignore_errors=True)
        shutil.copytree(good, without)
        (without / path).unlink()
        loses = any(result.points < full.get(result.id, 0) for result in checker.check(without))
        if not loses and deliverable.path not in judged:
            look.findings.append(
                wrong("lab.yaml", f"deliverables.{number}",
                      f"{path}을(를) 보는 채점 기준이 없습니다. 채점 함수를 쓰거나, 강사가 볼 기준의 review.looks_at에 적으세요.",
                      f"No criterion looks at {path}: write a check, or name it in looks_at of a review.")
            )  # fmt: skip


def _every_criterion_fails_somewhere(look: Look) -> None:
    if not look.tried:
        return
    lost = {r.id for tried in look.tried if tried.name != GOOD for r in tried.results if r.points < r.max_points}
    for criterion in automatic(look.lab.lab):
        if criterion.id not in lost:
            look.findings.append(
                wrong("lab.yaml", f"criteria.{criterion.id}.check", "어떤 예시 제출물도 이 기준에서 점수를 잃지 않습니다.",
                      "No reference submission loses points on this criterion.")
            )  # fmt: skip


def _keep(made: Path, told: LabReport, target: Path) -> None:
    """Put what was made in the place of what stands, whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=target.parent))
    for lang in LANGUAGES:
        if (made / lang / PAGE).is_file():
            shutil.copytree(made / lang / "files", fresh / lang / "files")
            shutil.copyfile(made / lang / PAGE, fresh / lang / PAGE)
    (fresh / REPORT).write_text(told.model_dump_json(), "utf-8")
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
