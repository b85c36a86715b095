"""A lab's reference submissions: which there are, what each promises, and how one is made.

The rule: the name is the promise. `good` loses nothing; `fail-<criterion>` loses on that criterion and on no other; `raw_ai`, an
AI's answer taken unread, stays below the pass mark. Any other name promises nothing and only shows what it gets.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labs.build import other_language
from labs.catalog import LabFolder
from labs.checks import CriterionResult, load_check
from labs.manifest import Criterion, Lab, ManifestError
from labs.texts import LANGUAGES, Lang, Text

GOOD, RAW_AI = "good", "raw_ai"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")


def reference_names(lab: LabFolder) -> list[str]:
    """The references of a lab: folders of files, or recipes where lab.yaml names what builds them; the good one first."""
    folder = lab.folder / "reference"
    if lab.lab.references:
        names = {path.stem for path in folder.glob("*.yaml")}
    else:
        endings = tuple(f".{lang}" for lang in LANGUAGES)
        names = {path.stem if path.name.endswith(endings) else path.name for path in folder.glob("*/") if path.is_dir()}
    return sorted((name for name in names if _NAME.fullmatch(name)), key=lambda name: (name != GOOD, name))


def fails(name: str) -> str:
    """The criterion that a reference is made to fail, by its name; empty for the others."""
    return name[5:] if name[:5] in ("fail-", "fail_") else ""


def build_reference(lab: LabFolder, name: str, material: Path, out: Path, lang: Lang) -> None:
    """Make one reference submission in a folder; `material` is what was handed out. It runs the pack's code: sandbox it.

    Files of `reference/<name>/` are for both languages, those of `reference/<name>.ko/` for one; a file with the other
    language's `.ko.` or `.en.` in its name is left out.
    """
    out.mkdir(parents=True, exist_ok=True)
    if lab.lab.references:
        build: Any = load_check(lab.lab.references)
        build(lab.folder, name, material, out, lang)
        return
    folders = [path for end in ("", f".{lang}") if (path := lab.folder / "reference" / f"{name}{end}").is_dir()]
    if not folders:
        raise ManifestError(f"{lab.folder.name}/reference/{name}.{lang}/ is missing")
    for folder in folders:
        shutil.copytree(folder, out, ignore=other_language(lang), dirs_exist_ok=True)


def automatic(lab: Lab) -> list[Criterion]:
    """The criteria that are checked without a person."""
    return [criterion for criterion in lab.criteria if criterion.check]


def broken_promise(lab: Lab, name: str, results: Sequence[CriterionResult]) -> Text | None:
    """What a reference promised and did not keep; None where it kept it or promised nothing."""
    lost = [result.id for result in results if result.points < result.max_points]
    told = ", ".join(lost) or "-"
    if name == GOOD and lost:
        return Text(
            ko=f"좋은 예시 제출물이 만점을 받지 못합니다: {told}. 채점 함수나 예시를 고치세요.",
            en=f"The good reference loses points: {told}. Mend the check or the reference.",
        )
    if (aim := fails(name)) and aim not in lost:
        return Text(
            ko=f"'{aim}'에서 점수를 잃어야 하는데 만점을 받습니다.",
            en=f"It should lose points on '{aim}' and gets them all.",
        )
    if aim and lost != [aim]:
        return Text(
            ko=f"'{aim}'에서만 점수를 잃어야 하는데 다른 기준에서도 잃습니다: {told}",
            en=f"It should lose points on '{aim}' only, and loses on: {told}",
        )
    if name == RAW_AI and lab.pass_percent and best_percent(lab, results) >= lab.pass_percent:
        return Text(
            ko=f"AI 답을 그대로 낸 제출물이 통과합니다(강사 점수를 다 주면 {best_percent(lab, results):.0f}%).",
            en=f"The AI's unread answer passes ({best_percent(lab, results):.0f}% with every point of a person's).",
        )
    return None


def best_percent(lab: Lab, results: Sequence[CriterionResult]) -> float:
    """A submission's share of all points, in percent, where a person gives every point that is a person's."""
    judged = sum(criterion.points for criterion in lab.criteria if criterion.review)
    return 100 * (sum(result.points for result in results) + judged) / lab.max_points
