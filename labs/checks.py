"""Running a lab's criteria on a folder of submitted files.

The rule this module keeps: a check measures files. It is deterministic, reads only the folder and the files its
parameters name, and a missing or broken file is a result, never an exception.

    from labs.checks import CheckResult, Finding, failed, passed
    from labs.texts import Text

    def has_title(folder: Path, *, file: str) -> CheckResult: ...
"""

from __future__ import annotations

import importlib
import json
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, field_validator

from labs.texts import Text

MAX_FINDINGS = 20
#: The broadest picture a finding may carry, in characters of base64.
MAX_PICTURE = 400_000
#: What a learner is told where a check raised.
BROKE = Text(ko="이 항목을 확인하는 중에 오류가 났습니다. 파일이 손상되었을 수 있습니다.",
             en="This criterion could not be checked; a file may be damaged.")  # fmt: skip


class Finding(BaseModel):
    """One thing a check saw: what was found, where, and what would be right."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    found: Text
    right: Text | None = None
    where: str | None = Field(default=None, max_length=200, description="time code, line, selector or page")
    picture: str | None = Field(default=None, max_length=MAX_PICTURE, description="a small PNG, base64")
    ok: bool = False


class CheckResult(BaseModel):
    """What a check says of a folder: a share of the points, and the findings it rests on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    score: float = Field(ge=0, le=1, description="share of the criterion's points")
    findings: tuple[Finding, ...] = Field(default=(), max_length=MAX_FINDINGS)

    @field_validator("score")
    @classmethod
    def _finite(cls, value: float) -> float:
        if not math.isfinite(value):
            raise ValueError("score must be a finite number")
        return value


class Check(Protocol):
    """A deterministic function of a folder."""

    def __call__(self, folder: Path, **params: Any) -> CheckResult: ...


class CriterionResult(BaseModel):
    """A check's result in a lab: the criterion, its points, and the findings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    points: float = Field(ge=0)
    max_points: float = Field(ge=0)
    findings: tuple[Finding, ...] = ()


def passed(ko: str, en: str, *, where: str | None = None) -> CheckResult:
    """Full points, with one sentence on what was measured."""
    return CheckResult(score=1, findings=(Finding(found=Text(ko=ko, en=en), where=where, ok=True),))


def failed(found: Text, right: Text | None = None, *, where: str | None = None) -> CheckResult:
    """No points, with what was found and what would be right."""
    return CheckResult(score=0, findings=(Finding(found=found, right=right, where=where),))


def share(earned: float, whole: float, findings: Sequence[Finding]) -> CheckResult:
    """Partial credit: earned / whole of the points, findings cut to the first twenty."""
    score = min(1.0, max(0.0, earned / whole)) if whole > 0 else 0.0
    return CheckResult(score=score, findings=tuple(findings[:MAX_FINDINGS]))


def missing_file(name: str) -> CheckResult:
    """The result for a file that was not handed in."""
    return failed(
        Text(ko=f"{name} 파일이 없습니다.", en=f"The file {name} is missing."),
        Text(ko=f"{name} 파일을 만들어 함께 제출하세요.", en=f"Make {name} and hand it in with the rest."),
        where=name,
    )


def safe_path(folder: Path, name: str) -> Path | None:
    """Give folder/name where it is a regular file inside the folder and no link leads out of it, else None."""
    path = folder / name
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
        return path if inside and path.is_file() else None
    except OSError:
        return None


def read_text(folder: Path, name: str, *, max_bytes: int = 1_000_000) -> str | CheckResult:
    """Read a small UTF-8 text file of a submission, or give the result that says what is wrong with it."""
    path = safe_path(folder, name)
    if path is None:
        return missing_file(name)
    if path.stat().st_size > max_bytes:
        return failed(
            Text(ko=f"{name} 파일이 너무 큽니다.", en=f"{name} is too large."),
            Text(ko=f"{max_bytes:,}바이트 이하로 줄이세요.", en=f"Keep it within {max_bytes:,} bytes."),
            where=name,
        )
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        return failed(
            Text(ko=f"{name} 파일이 UTF-8 글자로 저장되지 않았습니다.", en=f"{name} is not saved as UTF-8 text."),
            Text(ko="UTF-8로 다시 저장하세요.", en="Save it again as UTF-8."),
            where=name,
        )


def read_json(folder: Path, name: str, *, max_bytes: int = 1_000_000) -> Any:
    """Read a JSON file of a submission, or give the CheckResult that says what is wrong with it."""
    text = read_text(folder, name, max_bytes=max_bytes)
    if isinstance(text, CheckResult):
        return text
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        return failed(
            Text(
                ko=f"{name}의 {line}번째 줄에서 JSON을 읽을 수 없습니다.",
                en=f"{name} is not valid JSON at line {line}.",
            ),
            Text(ko="실습 노트북의 저장 칸을 다시 실행하세요.", en="Run the notebook's saving cell again."),
            where=f"{name}:{line}",
        )


def load_check(reference: str) -> Check:
    """Import the check that 'package.module:function' names."""
    module_name, _, function_name = reference.partition(":")
    function: Callable[..., CheckResult] = getattr(importlib.import_module(module_name), function_name)
    return function


def run_check(reference: str, folder: Path, params: dict[str, Any]) -> CheckResult:
    """Run one check; a check that breaks its contract scores 0 and says that it broke, so a run never stops."""
    try:
        return CheckResult.model_validate(load_check(reference)(folder, **params))
    except Exception as error:  # a hostile file may break any decoder: fail closed, and say so
        print(f"check {reference} broke: {type(error).__name__}: {error}", file=sys.stderr)
        return failed(
            BROKE,
            Text(
                ko="파일을 다시 만들어 제출하고, 계속되면 강사에게 알리세요.",
                en="Make the files again and hand in; tell your instructor if it goes on.",
            ),
        )
