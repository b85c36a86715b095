"""The data of a profession pack: `profession.yaml` and `lab.yaml`, as models that refuse what they do not know."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from labs.texts import Text


def _no_parent_steps(path: str) -> str:
    if ".." in path.split("/"):
        raise ValueError("a path must stay inside its folder: no '..'")
    return path


Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=60)]
#: A path inside a folder: relative, no parent steps. `{lang}` stands for the course's language.
InsidePath = Annotated[
    str, StringConstraints(pattern=r"^[^/\\\x00][^\\\x00]*$", max_length=200), AfterValidator(_no_parent_steps)
]
CheckRef = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]


T = TypeVar("T", bound=BaseModel)


class ManifestError(Exception):
    """A manifest that cannot be used; the message names the file, the field and what would be right."""


class Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Competency(Data):
    """A competency unit of an occupation; codes (NCS) are data because they change."""

    id: Slug
    title: Text
    code: str | None = None


class Profession(Data):
    """A profession pack's own page: who it is for, and its labs in order."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
    title: Text
    occupation: Text
    summary: Text
    competencies: tuple[Competency, ...]
    labs: tuple[Slug, ...] = Field(min_length=1)


class Deliverable(Data):
    """A file that a learner hands in."""

    path: InsidePath
    kind: Literal["video", "image", "captions", "json", "document"]
    title: Text
    max_mb: float = Field(default=5, gt=0, le=100)
    schema_: InsidePath | None = Field(default=None, alias="schema")


class AiPolicy(Data):
    """Which AI a lab may use, and for how much."""

    models: tuple[str, ...] = ("lab-default",)
    endpoints: tuple[Literal["chat", "transcriptions", "embeddings", "speech", "images"], ...] = ("chat",)
    budget_krw: int = Field(default=300, ge=0)


class LatePolicy(Data):
    """What being late costs: nothing, a share of the points for each day, or that nothing is taken any more."""

    policy: Literal["none", "percent", "refuse"] = "percent"
    percent_per_day: int = Field(default=10, ge=0, le=100)
    at_most_days: int = Field(default=3, ge=0, le=365, description="more days than these cost nothing more")


class Terms(Data):
    """The terms of handing in: what counts as late, what that costs, and how often one may hand in."""

    grace_minutes: int = Field(default=10, ge=0, le=1440, description="late by at most this is in time")
    late: LatePolicy = LatePolicy()
    attempts: int = Field(default=0, ge=0, le=1000, description="submissions that are taken; 0 takes any number")


class Due(Terms):
    """When a lab is due, and its terms."""

    days_after_release: int = Field(default=3, ge=0)

    @property
    def terms(self) -> Terms:
        return Terms(grace_minutes=self.grace_minutes, late=self.late, attempts=self.attempts)


class Limits(Data):
    """What one submission may use while it is graded."""

    wall_seconds: float = Field(default=180, gt=0, description="in all")
    cell_seconds: float = Field(default=30, gt=0, description="for one cell of a notebook that is executed")
    cpu_seconds: int = Field(default=300, gt=0)
    memory_mb: int = Field(default=6000, ge=200)
    processes: int = Field(default=128, ge=1)
    open_files: int = Field(default=256, ge=64)
    file_mb: int = Field(default=500, ge=1, description="the largest file that may be written")
    output_kb: int = Field(default=1000, ge=1, description="kept of what one cell shows")

    @property
    def output_bytes(self) -> int:
        return self.output_kb * 1000

    def in_bytes(self) -> dict[str, int]:
        """The limits as the operating system takes them."""
        return {"memory_bytes": self.memory_mb * 1_000_000, "cpu_seconds": self.cpu_seconds, "processes": self.processes,
                "open_files": self.open_files, "file_bytes": self.file_mb * 1_000_000,
                "output_bytes": self.output_bytes}  # fmt: skip


class Again(Data):
    """That a submitted notebook is executed again, to see whether its deliverables come out as they were handed in."""

    seconds: float | None = Field(default=None, gt=0, description="in all; by default the limits' wall_seconds")
    starts_from: tuple[InsidePath, ...] = Field(
        default=(), description="deliverables that hold what a person decided in forms: what the notebook begins with"
    )


class Level(Data):
    """One level of a rubric."""

    points: float = Field(ge=0)
    ko: str = Field(min_length=1)
    en: str = Field(min_length=1)

    @property
    def text(self) -> Text:
        return Text(ko=self.ko, en=self.en)


class Review(Data):
    """A person's judgement, by levels from the best down."""

    levels: tuple[Level, ...] = Field(min_length=2)
    looks_at: tuple[InsidePath, ...] = Field(
        default=(), description="the deliverables that it judges, where no check looks at them"
    )

    @model_validator(mode="after")
    def _descending(self) -> Self:
        points = [level.points for level in self.levels]
        if points != sorted(set(points), reverse=True):
            raise ValueError("levels must go down in points, each once")
        return self


class Criterion(Data):
    """One thing a lab is graded by: a check, or a review by a person. Its id is the notebook's grade_id."""

    id: Slug
    title: Text
    points: float = Field(gt=0)
    check: CheckRef | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    visible: bool = True
    about: Text | None = Field(default=None, description="what a hidden criterion is about, told without the key")
    review: Review | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.check is None) == (self.review is None):
            raise ValueError("a criterion has either a check or a review")
        if self.check and not self.visible and self.about is None:
            raise ValueError("a hidden criterion needs 'about': what it looks at, without the key")
        if (
            self.check
            and self.visible
            and any(isinstance(v, str) and v.startswith("server/") for v in self.params.values())
        ):
            raise ValueError("a visible criterion cannot use a file of server/: set visible: false")
        if self.review and self.review.levels[0].points != self.points:
            raise ValueError("the best level's points must be the criterion's points")
        return self


class Measures(Data):
    """A lab that measures and does not teach: one of the two forms of a skills check, before the training or after it."""

    check: Slug
    form: Literal["before", "after"]


class Lab(Data):
    """A lab: what is made, how it is judged, and what AI it may use."""

    title: Text
    summary: Text
    minutes: int = Field(gt=0, le=480)
    pass_percent: int = Field(default=60, ge=0, le=100)
    competencies: tuple[Slug, ...] = ()
    material: CheckRef | None = Field(
        default=None, description="module:function(lab_folder, out, lang) that renders material"
    )
    references: CheckRef | None = Field(
        default=None,
        description="module:function(lab_folder, name, material, out, lang) that builds a reference submission",
    )
    deliverables: tuple[Deliverable, ...] = Field(min_length=1)
    ai: AiPolicy = AiPolicy()
    due: Due = Due()
    limits: Limits = Limits()
    execution: Again | None = Field(default=None, description="the notebook is executed again; it changes no points")
    criteria: tuple[Criterion, ...] = Field(min_length=1)
    measures: Measures | None = Field(default=None, description="the skills check that this lab is a form of")

    @model_validator(mode="after")
    def _unique(self) -> Self:
        ids = [criterion.id for criterion in self.criteria]
        doubled = sorted({i for i in ids if ids.count(i) > 1})
        if doubled:
            raise ValueError(f"criterion id used twice: {', '.join(doubled)}")
        return self

    @model_validator(mode="after")
    def _looked_at(self) -> Self:
        named = {deliverable.path for deliverable in self.deliverables}
        for criterion in self.criteria:
            if criterion.review and (foreign := sorted(set(criterion.review.looks_at) - named)):
                raise ValueError(
                    f"review.looks_at of {criterion.id} names what is no deliverable: {', '.join(foreign)}"
                )
        return self

    @model_validator(mode="after")
    def _executable(self) -> Self:
        if self.execution is None:
            return self
        named, kept = {d.path for d in self.deliverables}, set(self.execution.starts_from)
        if foreign := sorted(kept - named):
            raise ValueError(f"execution.starts_from names what is no deliverable: {', '.join(foreign)}")
        if kept == named:
            raise ValueError("execution.starts_from holds every deliverable: nothing is left to be made again")
        if (self.execution.seconds or 0) > self.limits.wall_seconds:
            raise ValueError(f"execution.seconds is over limits.wall_seconds ({self.limits.wall_seconds:g})")
        return self

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        """Scores before and after are compared, so nothing but the work may move them: no judge and no lateness."""
        if self.measures and (judged := [criterion.id for criterion in self.criteria if criterion.review]):
            raise ValueError(f"a lab with 'measures' has no review: give {', '.join(judged)} a check")
        if self.measures and self.due.late.policy == "percent":
            raise ValueError("a lab with 'measures' takes nothing off for being late: set due.late.policy to none")
        if self.measures and self.pass_percent:
            raise ValueError("a lab with 'measures' has no pass mark: set pass_percent to 0")
        return self

    @property
    def max_points(self) -> float:
        return sum(criterion.points for criterion in self.criteria)


def load(path: Path, model: type[T]) -> T:
    """Read a YAML file as a model; ManifestError names the file, the field and the reason."""
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
        return model.model_validate(data)
    except FileNotFoundError:
        raise ManifestError(f"{path.name} is missing in {path.parent.name}/") from None
    except yaml.YAMLError as error:
        raise ManifestError(f"{path.parent.name}/{path.name}: not valid YAML: {error}") from None
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, e['loc'])) or '(whole file)'}: {e['msg']}" for e in error.errors()]
        raise ManifestError("\n".join([f"{path.parent.name}/{path.name}:", *lines])) from None


def for_language(value: Any, lang: str) -> Any:
    """Put the course's language where a text of a manifest says {lang}."""
    return value.replace("{lang}", lang) if isinstance(value, str) else value
