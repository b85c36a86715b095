"""Reference submissions of the rough cut, each made once a test session."""

from __future__ import annotations

from pathlib import Path

from labs.catalog import LabFolder, find_lab
from labs.checks import CheckResult, run_check
from labs.spec import resolve_params
from video_content.material import render
from video_content.reference import build, read_recipe

LAB_ID = "rough-cut"


class Submissions:
    """Builds material and submissions on demand and keeps them."""

    def __init__(self, base: Path) -> None:
        self.base, self.lab = base, find_lab(LAB_ID)

    def material(self, lang: str) -> Path:
        folder = self.base / f"material-{lang}"
        if not folder.exists():
            render(self.lab.folder, folder, lang)
        return folder

    def folder(self, recipe: str, lang: str) -> Path:
        folder = self.base / f"{recipe}-{lang}"
        if not folder.exists():
            build(read_recipe(self.lab.folder, recipe), self.lab.folder, self.material(lang), folder, lang)
        return folder

    def scores(self, folder: Path, lang: str) -> dict[str, CheckResult]:
        """Run every automatic criterion as the grader does."""
        return {c.id: self.check(folder, lang, c.id) for c in self.lab.lab.criteria if c.check}

    def check(self, folder: Path, lang: str, criterion_id: str) -> CheckResult:
        criterion = next(c for c in self.lab.lab.criteria if c.id == criterion_id)
        assert criterion.check
        params = resolve_params(criterion.params, lang, self.material(lang), self.lab.folder / "server")
        return run_check(criterion.check, folder, params)


def percent(lab: LabFolder, scores: dict[str, CheckResult]) -> float:
    """Give the automatic points as a share of the lab's, the reviewed criterion given in full."""
    points = sum(scores[c.id].score * c.points if c.check else c.points for c in lab.lab.criteria)
    return 100 * points / lab.lab.max_points
