"""Packs are found by their entry points: a new profession is one folder and one line, and no other file changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from labs import catalog
from labs.build import build_lab
from labs.catalog import broken_packs, find_lab, packs
from labs.manifest import ManifestError

PROFESSION = {
    "id": "office_admin",
    "title": {"ko": "사무행정", "en": "Administrative support"},
    "occupation": {"ko": "사무원", "en": "clerk"},
    "summary": {"ko": "문서 작업", "en": "documents"},
    "competencies": [{"id": "minutes-taking", "title": {"ko": "회의록", "en": "minutes"}}],
    "labs": ["meeting-minutes"],
}
LAB = {
    "title": {"ko": "회의록", "en": "Minutes"},
    "summary": {"ko": "회의록을 씁니다", "en": "Write minutes"},
    "minutes": 30,
    "competencies": ["minutes-taking"],
    "deliverables": [{"path": "minutes.md", "kind": "document", "title": {"ko": "회의록", "en": "minutes"}}],
    "criteria": [
        {
            "id": "has-decision",
            "title": {"ko": "결정 사항", "en": "decision"},
            "points": 10,
            "check": "office_admin.checks:has_decision",
        }
    ],
}
CHECK = """
from labs.checks import CheckResult, failed, passed, read_text
from labs.texts import Text

def has_decision(folder, *, file="minutes.md"):
    text = read_text(folder, file)
    if isinstance(text, CheckResult):
        return text
    return passed("결정 있음", "decided") if "결정" in text else failed(Text(ko="결정 없음", en="no decision"))
"""


def install(site: Path, profession: dict[str, object] = PROFESSION, lab: dict[str, object] = LAB) -> None:
    folder = site / "office_admin"
    (folder / "labs" / "meeting_minutes" / "learner").mkdir(parents=True)
    (folder / "__init__.py").write_text('"""A fourth profession."""')
    (folder / "checks.py").write_text(CHECK)
    (folder / "profession.yaml").write_text(yaml.safe_dump(profession))
    (folder / "labs" / "meeting_minutes" / "lab.yaml").write_text(yaml.safe_dump(lab))
    (folder / "labs" / "meeting_minutes" / "lab.md").write_text("# 회의록\n")
    info = site / "office_admin-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: office-admin\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[practicum.professions]\noffice_admin = office_admin\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    monkeypatch.undo()
    catalog.forget()


def test_the_three_packs_are_found() -> None:
    assert {"video_content", "uiux_design", "publishing"} <= set(packs())
    assert broken_packs() == {}


def test_a_fourth_profession_is_one_folder_and_one_line(site: Path, tmp_path: Path) -> None:
    from grader.engine.criteria import run_criteria

    install(site)
    catalog.forget()
    assert packs()["office_admin"].profession.title.ko == "사무행정"
    lab = find_lab("meeting-minutes")
    build_lab(lab, "course-a", "ko", tmp_path / "source")
    assert (tmp_path / "source" / "meeting-minutes.ipynb").is_file()
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "minutes.md").write_text("결정: 내일 시작")
    (result,) = run_criteria(lab, tmp_path / "work", tmp_path / "source", "ko")
    assert (result.points, result.findings[0].found.ko) == (10, "결정 있음")


@pytest.mark.parametrize(
    ("profession", "lab", "said"),
    [
        ({**PROFESSION, "labs": []}, LAB, "profession.yaml"),
        (PROFESSION, {**LAB, "competencies": ["flying"]}, "flying not in profession.yaml"),
        ({**PROFESSION, "labs": ["other-lab"]}, LAB, "lab.yaml is missing"),
    ],
)
def test_a_broken_pack_is_named_and_stops_nobody_else(
    site: Path, profession: dict[str, object], lab: dict[str, object], said: str
) -> None:
    install(site, profession, lab)
    catalog.forget()
    assert said in broken_packs()["office_admin"]
    assert "publishing" in packs()
    with pytest.raises(ManifestError, match="pack office_admin cannot be read"):
        find_lab("meeting-minutes")
