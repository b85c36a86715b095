"""Programmes, institutions, courses and runs from a file: named first, entered whole or not at all, again without doubling."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine

from grader.records import journal
from grader.records.db import open_database, reading, writing
from grader.records.models import CourseRun, Institution, StaffRole
from grader.records.programmes import rules_of
from hub_config.cli import main
from hub_config.register import BadRegister, enter, read_register
from hub_config.settings import Settings
from labs.manifest import ManifestError

NOW = datetime(2026, 6, 1, tzinfo=UTC)
FILE = """
regions:
  busan: {title: {ko: 부산광역시, en: Busan}, area_code: "26"}
programmes:
  ai-2027:
    title: {ko: AI 전환 훈련, en: AI transition training}
    rules: {attendance_percent: 75}
    valid_from: 2026-07-01
    reason: 2026년 하반기 고시
institutions:
  haedong: {title: {ko: 해동훈련원, en: Haedong Institute}, region: busan, outside_id: "500"}
courses:
  ai-video: {title: {ko: AI 영상, en: AI video}, institution: haedong, outside_id: AIG1, occupation: video_content, tuition_krw: 4000000}
runs:
  ai-video-1:
    title: {ko: AI 영상 1회차, en: AI video 1}
    course: ai-video
    programme: ai-2027
    place: 201호
    place_class: elsewhere
    starts_on: 2026-07-06
    ends_on: 2026-12-18
    round: 1
    hours: 400
    labs: {rough-cut: required, film-check-before: offered}
staff: {hana: 오하나}
roles: {hana: [formgrade-ai-video-1, institution-haedong]}
"""


def file(folder: Path, text: str = FILE) -> Path:
    path = folder / "register.yaml"
    path.write_text(text, "utf-8")
    return path


def put(engine: Engine, folder: Path, text: str = FILE) -> list[str]:
    with writing(engine) as session:
        return enter(session, read_register(file(folder, text)), actor="operator", now=NOW)


def test_everything_is_entered_and_again_without_doubling(engine: Engine, tmp_path: Path) -> None:
    assert len(put(engine, tmp_path)) == 11
    assert put(engine, tmp_path) == []
    with reading(engine) as session:
        run = session.get_one(CourseRun, "ai-video-1")
        assert (run.institution_id, run.place_class, run.hours, run.round) == ("haedong", "elsewhere", 400, 1)
        assert run.approved is not None
        assert (run.approved.outside_id, run.approved.tuition_krw) == ("AIG1", 4_000_000)
        assert [(lab.lab_id, lab.required) for lab in run.labs] == [("rough-cut", True), ("film-check-before", False)]
        assert rules_of(session, run).attendance_percent == 75
        assert session.get(StaffRole, ("hana", "institution-haedong")) is not None
        assert journal.verify(session) is None


def test_only_what_differs_is_changed(engine: Engine, tmp_path: Path) -> None:
    put(engine, tmp_path)
    later = FILE.replace("201호", "305호").replace("attendance_percent: 75", "attendance_percent: 80")
    assert put(engine, tmp_path, later) == ["+ rules ai-2027 2026-07-01", "~ course_run ai-video-1: place"]
    with reading(engine) as session:
        assert rules_of(session, session.get_one(CourseRun, "ai-video-1")).attendance_percent == 80


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        ("region: busan", "region: atlantis", "institutions.haedong.region: there is no region atlantis"),
        ("course: ai-video\n", "course: ai-book\n", "runs.ai-video-1.course: there is no course ai-book"),
        ("ends_on: 2026-12-18", "ends_on: 2026-01-01", "runs.ai-video-1: Value error, `ends_on` is before"),
        ("attendance_percent: 75", "attendance: 75", "programmes.ai-2027.rules.attendance: Extra inputs"),
        ("reason: 2026년 하반기 고시", "reason: ''", "rules need `valid_from` and `reason`"),
        ("rough-cut: required", "no-such-lab: required", "no-such-lab"),
        ("staff: {hana: 오하나}", "", "roles.hana: there is no person hana"),
        ("staff: {hana: 오하나}", "staff: {'../x': y}", "staff.../x"),
        ("regions:", "regions: [", "cannot be read"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_entered(
    engine: Engine, tmp_path: Path, wrong: str, right: str, said: str
) -> None:
    with pytest.raises((BadRegister, ManifestError), match=re.escape(said)):
        put(engine, tmp_path, FILE.replace(wrong, right))
    with reading(engine) as session:
        assert session.get(Institution, "haedong") is None


def test_the_command_names_first_and_enters_when_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "practicum.yaml"
    settings.write_text("data: var\nlanguage: en\n")
    monkeypatch.setenv("PRACTICUM_SETTINGS", str(settings))
    runner, path = CliRunner(), str(file(tmp_path))
    named = runner.invoke(main, ["register", path])
    assert "+ course_run ai-video-1" in named.output
    assert "--apply" in named.output
    engine = open_database(Settings(data=tmp_path / "var").records_database)
    with reading(engine) as session:
        assert session.get(CourseRun, "ai-video-1") is None
    assert "Entered." in runner.invoke(main, ["register", path, "--apply"]).output
    with reading(engine) as session:
        assert session.get_one(CourseRun, "ai-video-1").starts_on == date(2026, 7, 6)
    engine.dispose()
