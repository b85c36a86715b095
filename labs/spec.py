"""What is handed out of a lab's manifest: the file `lab.json` beside the notebook.

The rule: nothing of `server/` is in it. A hidden criterion keeps its id, its points and what it is about; its check and
its parameters stay with the institution.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from labs.catalog import LabFolder
from labs.checks import CriterionResult, failed, run_check
from labs.manifest import AiPolicy, Criterion, Data, Deliverable, Level, ManifestError, for_language
from labs.texts import Lang, Text

FILE = "lab.json"


class SpecCriterion(Data):
    """A criterion as the learner may know it."""

    id: str
    title: Text
    points: float
    visible: bool
    about: Text | None = None
    levels: tuple[Level, ...] = ()
    check: str | None = None
    params: dict[str, Any] = Field(default_factory=dict)


class LabSpec(Data):
    """A lab as it is handed out in a course: its language is fixed."""

    course: str
    lab: str
    lang: Lang
    title: Text
    minutes: int
    deliverables: tuple[Deliverable, ...]
    ai: AiPolicy
    criteria: tuple[SpecCriterion, ...]

    def criterion(self, criterion_id: str) -> SpecCriterion:
        """Find a criterion by its id; KeyError names the known ones."""
        for criterion in self.criteria:
            if criterion.id == criterion_id:
                return criterion
        raise KeyError(
            f"{criterion_id}: not a criterion of {self.lab}; known: {', '.join(c.id for c in self.criteria)}"
        )


def _hand_out(criterion: Criterion) -> SpecCriterion:
    shown = criterion.check is not None and criterion.visible
    return SpecCriterion(
        id=criterion.id,
        title=criterion.title,
        points=criterion.points,
        visible=criterion.visible,
        about=criterion.about,
        levels=criterion.review.levels if criterion.review else (),
        check=criterion.check if shown else None,
        params=criterion.params if shown else {},
    )


def spec_of(lab: LabFolder, course: str, lang: Lang) -> LabSpec:
    """Make the handed-out description of a lab for a course."""
    deliverables = tuple(d.model_copy(update={"path": for_language(d.path, lang)}) for d in lab.lab.deliverables)
    return LabSpec(
        course=course,
        lab=lab.id,
        lang=lang,
        title=lab.lab.title,
        minutes=lab.lab.minutes,
        deliverables=deliverables,
        ai=lab.lab.ai,
        criteria=tuple(map(_hand_out, lab.lab.criteria)),
    )


def read_spec(folder: Path) -> LabSpec:
    """Read lab.json of a lab's folder; ManifestError says what to do when it is missing or changed."""
    try:
        return LabSpec.model_validate_json((folder / FILE).read_text("utf-8"))
    except FileNotFoundError:
        raise ManifestError(f"{FILE} is missing in {folder.resolve().name}/: fetch the lab again") from None
    except (ValidationError, UnicodeDecodeError) as error:
        raise ManifestError(f"{FILE} was changed and cannot be read; fetch the lab again: {error}") from None


def resolve_params(params: dict[str, Any], lang: str, learner: Path, server: Path | None) -> dict[str, Any]:
    """Fill {lang}, and turn 'learner/…' and 'server/…' into paths of the pristine material and of the keys.

    A path keeps its type: the check gets a `pathlib.Path`, so that a name in the submission stays a `str`.
    """

    def one(value: Any) -> Any:
        value = for_language(value, lang)
        if isinstance(value, str) and value.startswith("learner/"):
            return learner / value.removeprefix("learner/")
        if isinstance(value, str) and value.startswith("server/") and server is not None:
            return server / value.removeprefix("server/")
        if isinstance(value, dict) and set(value) == {"ko", "en"}:
            return value[lang]
        return value

    return {name: one(value) for name, value in params.items()}


def run_criterion(
    criterion_id: str, points: float, check: str, folder: Path, params: dict[str, Any]
) -> CriterionResult:
    """Run one criterion's check and turn its share into points, rounded to a tenth."""
    result = run_check(check, folder, params)
    return CriterionResult(
        id=criterion_id, points=round(result.score * points, 1), max_points=points, findings=result.findings
    )


def run_visible(spec: LabSpec, criterion_id: str, folder: Path) -> CriterionResult:
    """Run a visible criterion where the learner is: material comes from the same folder."""
    criterion = spec.criterion(criterion_id)
    if criterion.check is None:
        told = criterion.about or criterion.title
        return CriterionResult(id=criterion.id, points=0, max_points=criterion.points, findings=failed(told).findings)
    params = resolve_params(criterion.params, spec.lang, folder, None)
    return run_criterion(criterion.id, criterion.points, criterion.check, folder, params)
