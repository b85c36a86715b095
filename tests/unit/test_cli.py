"""The command `practicum`: it answers in the installation's language, and an error is one line without a traceback."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from ledger_support import NO_LIMITS, open_ledger, opening
from sqlalchemy import text

from grader.engine import start
from grader.engine.progress import Progress, Summary
from grader.records import anchors
from grader.records.db import open_database, writing
from grader.records.models import Event
from grader.similarity import compare as likeness
from grader.similarity.result import Alike, Comparison, Pair, comparison_file
from hub_config import cli
from hub_config.ai_gateway.ledger import Settlement
from hub_config.health import machine
from hub_config.health.finding import Finding
from hub_config.models.catalogue import catalogue
from hub_config.seed import seed_demo
from hub_config.settings import Settings
from labs.texts import Text

LANGUAGES = ["ko", "en"]


class Installation:
    """A data folder with the demonstration in its records, and its command."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.settings_file = folder, folder / "practicum.yaml"
        self.database = f"sqlite:///{folder / 'var' / 'records' / 'records.db'}"
        monkeypatch.setenv("PRACTICUM_SETTINGS", str(self.settings_file))
        for name in ("PRACTICUM_RECORDS_URL", "PRACTICUM_RECORDS_TOKEN", "PRACTICUM_LANG"):
            monkeypatch.setenv(name, "")  # the command sets them for nbgrader: put them back afterwards
        monkeypatch.setenv("PRACTICUM_MODELS", str(folder / "models"))
        self.speaks("ko")

    def speaks(self, language: str, more: str = "") -> None:
        self.settings_file.write_text(f"language: {language}\n{more}", "utf-8")

    def seeded(self, attack: str = "") -> None:
        engine = open_database(self.database)
        seed_demo(engine, datetime(2026, 7, 6, 3, tzinfo=UTC))
        if attack:
            with engine.begin() as connection:
                connection.execute(text(attack))
                connection.commit()
        engine.dispose()

    def says(self, *argv: str) -> Result:
        return CliRunner().invoke(cli.main, argv)


@pytest.fixture
def practicum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    return Installation(tmp_path, monkeypatch)


def one_error(result: Result) -> str:
    """The one line of an error."""
    assert result.exit_code != 0
    assert isinstance(result.exception, SystemExit)  # nothing else got out
    (line,) = result.output.splitlines()
    assert line.startswith("Error: ")
    assert "Traceback" not in result.output
    return line


# --- the journal -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("ko", "기록 원장이 온전합니다. 기록 12건을 내보낸 서명 0건과 대조했습니다."),
        ("en", "The chain of 12 events holds, and so do the 0 heads that were exported."),
    ],
)
def test_a_good_journal_is_verified(practicum: Installation, language: str, said: str) -> None:
    practicum.speaks(language)
    practicum.seeded()
    result = practicum.says("journal", "verify")
    assert (result.exit_code, result.output) == (0, f"{said}\n")


@pytest.mark.parametrize(
    ("attack", "named"),
    [
        ("UPDATE event SET actor = 'haneul' WHERE seq = 5", "event 5"),
        ("DELETE FROM event WHERE seq = 7", "event 7"),
        ("UPDATE event SET payload = replace(payload, '09:00', '08:00') WHERE seq = 1", "event 1"),
    ],
)
def test_a_journal_that_somebody_changed_is_named(practicum: Installation, attack: str, named: str) -> None:
    practicum.seeded(attack)
    assert named.replace("event ", "") + "번 기록" in one_error(practicum.says("journal", "verify"))
    practicum.speaks("en")
    assert named in one_error(practicum.says("journal", "verify"))


@pytest.mark.parametrize("payload", ["not json", "", "[1"])
def test_a_journal_that_cannot_be_read_is_one_line(practicum: Installation, payload: str) -> None:
    practicum.seeded(f"UPDATE event SET payload = '{payload}' WHERE seq = 3")
    assert "3번 기록을 읽을 수 없습니다" in one_error(practicum.says("journal", "verify"))


def receipts_of_two_calls(practicum: Installation) -> Path:
    """Leave two AI receipts, the second one anchored in the journal."""
    path = practicum.folder / "var" / "ai" / "gateway.db"

    async def call() -> tuple[int, str]:
        ledger = await open_ledger(path)
        for _ in range(2):
            call = opening()
            assert await ledger.reserve(call, NO_LIMITS) is None
            ledger.settle(call.receipt, Settlement("ok", cost_krw=1))
        await ledger.flush()
        head = await ledger.head()
        await ledger.close()
        return head

    number, head = asyncio.run(call())
    engine = open_database(practicum.database)
    with writing(engine) as session:
        anchors.add(session, anchors.Anchor(number=number, hash=head), "ai-gateway")
    engine.dispose()
    return path


@pytest.mark.parametrize(
    ("attack", "named"),
    [
        ("", ""),
        ("UPDATE receipts SET cost_krw = 0 WHERE number = 1", "receipt 1"),
        ("DELETE FROM receipts WHERE number = 2", "number 2 was anchored"),
        ("DELETE FROM receipts", "number 2 was anchored"),
    ],
)
def test_the_ai_receipts_are_verified_with_the_journal(practicum: Installation, attack: str, named: str) -> None:
    practicum.seeded()
    practicum.speaks("en")
    path = receipts_of_two_calls(practicum)
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(attack)
    result = practicum.says("journal", "verify")
    assert named in result.output
    assert (result.exit_code == 0) is not bool(attack)


def test_ai_receipts_that_are_gone_are_missed(practicum: Installation) -> None:
    practicum.seeded()
    receipts_of_two_calls(practicum).unlink()
    assert "gateway.db 파일이 없습니다" in one_error(practicum.says("journal", "verify"))


def test_the_journal_is_exported_once_and_its_key_can_change(practicum: Installation) -> None:
    practicum.speaks("en")
    practicum.seeded()
    head = json.loads(practicum.says("journal", "export").output)
    assert (head["number"], head["seq"]) == (1, 12)
    assert "nothing new" in practicum.says("journal", "export").output
    assert head["key"] not in practicum.says("journal", "new-key").output
    assert (
        practicum.says("journal", "verify").output
        == "The chain of 13 events holds, and so do the 1 heads that were exported.\n"
    )
    engine = open_database(practicum.database)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM event WHERE seq > 9"))
    engine.dispose()
    assert "event 10 and those after it were cut off" in one_error(practicum.says("journal", "verify"))


@pytest.mark.parametrize(
    "command", [("journal", "export"), ("journal", "dump"), ("journal", "new-key"), ("backup", "create", "a")]
)
def test_without_records_a_command_says_so(practicum: Installation, command: tuple[str, ...]) -> None:
    assert "기록이 아직 없습니다" in one_error(practicum.says(*command))


# --- backup ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_backup_is_made_verified_and_restored(practicum: Installation, language: str) -> None:
    practicum.speaks(language)
    practicum.seeded()
    file, folder, passphrase = (str(practicum.folder / name) for name in ("a.backup", "restored", "passphrase"))
    Path(passphrase).write_text("short\n")
    assert "passphrase" in one_error(practicum.says("backup", "create", file, "--passphrase-file", passphrase))
    Path(passphrase).write_text("long enough for a backup\n")
    sealed = ("--passphrase-file", passphrase)
    made = practicum.says("backup", "create", file, "--homes", *sealed)
    assert made.exit_code == 0, made.output
    assert f"practicum backup verify {file}" in made.output
    for command in (("verify", file), ("restore", file, folder)):
        one_error(practicum.says("backup", *command))
        said = practicum.says("backup", *command, *sealed)
        assert said.exit_code == 0, said.output
        assert {"ko": "기록 12건", "en": "12 events"}[language] in said.output
    assert f"--data {folder}" in said.output
    assert folder in one_error(practicum.says("backup", "restore", file, folder, *sealed))


def test_a_backup_that_is_not_encrypted_says_that_it_has_no_secrets(practicum: Installation) -> None:
    practicum.seeded()
    assert (
        "비밀 파일(secrets)은 넣지 않았습니다" in practicum.says("backup", "create", str(practicum.folder / "a")).output
    )
    assert "비밀 파일" not in practicum.says("backup", "create", str(practicum.folder / "b"), "--with-secrets").output
    assert "Practicum의 백업 파일이 아닙니다" in one_error(
        practicum.says("backup", "verify", str(practicum.settings_file))
    )


# --- settings, models, doctor ----------------------------------------------------------------------------------------


def test_every_setting_is_listed_with_what_it_means(practicum: Installation) -> None:
    lines = practicum.says("settings").output.splitlines()
    for name, field in Settings.model_fields.items():
        at = next(number for number, line in enumerate(lines) if line.startswith(f"{name} ("))
        assert lines[at + 1].strip() == field.description


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_models_are_listed(practicum: Installation, language: str) -> None:
    practicum.speaks(language)
    lines = practicum.says("model", "list").output.splitlines()
    assert len(lines) == len(catalogue().models)
    for line, (name, model) in zip(lines, catalogue().models.items(), strict=True):
        assert line[2:].startswith(name)
        assert line.startswith("·") or not model.files  # none is fetched here
        assert f" {model.kind} " in line
        assert model.license in line
        assert line.endswith(model.title.in_(language))


@pytest.mark.parametrize("command", ["fetch", "check"])
@pytest.mark.parametrize("name", ["no-such-model", "../../etc/passwd"])
def test_a_model_that_is_not_known_is_one_line(practicum: Installation, command: str, name: str) -> None:
    assert name in one_error(practicum.says("model", command, name))


def test_weights_that_were_changed_are_named(practicum: Installation) -> None:
    name, model = next(iter(catalogue().models.items()))
    (practicum.folder / "models").mkdir()
    model.path(practicum.folder / "models").write_bytes(b"something else")
    assert "SHA-256" in one_error(practicum.says("model", "check", name))


@pytest.mark.parametrize("language", LANGUAGES)
def test_doctor_says_what_is_wrong_and_fails(
    practicum: Installation, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    practicum.speaks(language)
    monkeypatch.setattr(machine, "why_missing", lambda: "no user namespaces")
    result = practicum.says("doctor")
    assert result.exit_code == 1
    sandbox = next(line for line in result.output.splitlines() if "sandbox" in line)
    assert sandbox.startswith("✘")
    assert "no user namespaces" in sandbox
    assert ("거절" in sandbox) == (language == "ko")


@pytest.mark.parametrize("language", LANGUAGES)
def test_doctor_says_why_servers_start_slowly(
    practicum: Installation, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    practicum.speaks(language)
    found = {part.part: part for part in machine.look(Settings(data=practicum.folder))}
    assert found["quick"].state == "good"
    monkeypatch.setattr(machine, "why_not", lambda: "no Landlock")
    found = {part.part: part for part in machine.look(Settings(data=practicum.folder))}
    assert found["quick"].state == "off"
    assert "no Landlock" in found["quick"].said.in_(language)


def test_doctor_is_content_where_all_works_and_nothing_runs(
    practicum: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    well = Finding("machine", "all", "good", Text(ko="됩니다", en="works"))
    monkeypatch.setattr(machine, "look", lambda settings: [well])
    result = practicum.says("doctor")
    assert result.exit_code == 0
    assert "✔ all        됩니다\n" in result.output
    assert "- hub " in result.output
    told = json.loads(practicum.says("doctor", "--json").output)
    assert told["ok"] is True
    assert {"hub", "all", "backup"} <= {finding["part"] for finding in told["findings"]}


def test_a_backup_that_is_made_is_known_to_the_doctor(practicum: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    practicum.seeded()
    monkeypatch.setattr(machine, "look", lambda settings: [])
    file = practicum.folder / "made.backup"
    assert practicum.says("backup", "create", str(file)).exit_code == 0
    found = [f for f in json.loads(practicum.says("doctor", "--json").output)["findings"] if f["part"] == "backup"]
    assert found[0]["state"] == "good"
    assert "made.backup" in found[0]["said"]["en"]


# --- grading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "said"), [("ko", "그런 과정이 없습니다"), ("en", "no such course")])
@pytest.mark.parametrize("command", ["grade", "feedback", "similar"])
@pytest.mark.parametrize("course", ["nowhere", "", "..", ".", "../records", "/tmp", "ai-work-ko/", "*"])
def test_an_unknown_course_is_one_line(
    practicum: Installation, language: str, said: str, command: str, course: str
) -> None:
    practicum.speaks(language)
    (practicum.folder / "var" / "courses" / "ai-work-ko").mkdir(parents=True)
    assert said in one_error(practicum.says(command, course, "rough-cut"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_unknown_lab_is_one_line_that_names_the_known_ones(practicum: Installation, language: str) -> None:
    practicum.speaks(language)
    (practicum.folder / "var" / "courses" / "ai-work-ko").mkdir(parents=True)
    for lab in ("no-such-lab", "../rough-cut", ""):
        said = one_error(practicum.says("grade", "ai-work-ko", lab))
        assert f"{lab}: " in said
        assert "rough-cut" in said
        assert ("그런 실습이 없습니다" in said) == (language == "ko")


def played(monkeypatch: pytest.MonkeyPatch, failed: int) -> None:
    def grade_lab(root, course, lab, *, force, workers, report):  # type: ignore[no-untyped-def]
        report(Progress(1, failed, 1 + failed, "haneul", "손상된 파일" if failed else ""))
        return Summary(1, failed, 2, {"time_limit": failed} if failed else {})

    monkeypatch.setattr(start, "grade", grade_lab)


@pytest.mark.parametrize(
    ("language", "failed", "said"),
    [
        ("ko", 0, "완료 1건, 실패 0건, 그대로 2건"),
        ("en", 0, "1 done, 0 failed, 2 unchanged"),
        ("ko", 1, "완료 1건, 실패 1건, 그대로 2건"),
    ],
)
def test_grading_says_how_it_went(
    practicum: Installation, monkeypatch: pytest.MonkeyPatch, language: str, failed: int, said: str
) -> None:
    practicum.speaks(language)
    (practicum.folder / "var" / "courses" / "c").mkdir(parents=True)
    played(monkeypatch, failed)
    result = practicum.says("grade", "c", "rough-cut")
    assert result.exit_code == (1 if failed else 0)
    assert said in result.stdout
    assert ("haneul: 손상된 파일" in result.output) == bool(failed)
    assert ("제한 시간 초과: 1건" in result.output) == bool(failed)


def test_grading_for_a_program_is_one_json_object_a_line(
    practicum: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    (practicum.folder / "var" / "courses" / "c").mkdir(parents=True)
    played(monkeypatch, 1)
    result = practicum.says("grade", "c", "rough-cut", "--json")
    progress, end = map(json.loads, result.stdout.splitlines())
    assert progress == {"done": 1, "failed": 1, "total": 2, "learner": "haneul", "message": "손상된 파일", "cause": "",
                        "seconds_left": None}  # fmt: skip
    assert end == {"finished": True, "graded": 1, "failed": 1, "unchanged": 2, "causes": {"time_limit": 1}}


# --- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "said"), [("ko", "판정이 아닙니다"), ("en", "never a verdict")])
def test_what_is_alike_is_told_with_what_it_is(
    practicum: Installation, monkeypatch: pytest.MonkeyPatch, language: str, said: str
) -> None:
    practicum.speaks(language)
    root = practicum.folder / "var" / "courses" / "c"
    root.mkdir(parents=True)

    def compare_lab(root, course, lab, *, workers, report):  # type: ignore[no-untyped-def]
        report(Progress(2, 0, 2, "haneul"))
        part = Alike(path="proposal.md", kind="document", share=0.714, notable=True)
        other = Alike(path="facts.json", kind="json", share=0.1, notable=False)
        pair = Pair(first="areum", second="haneul", parts=(part, other))
        file = comparison_file(root, lab)
        file.parent.mkdir(exist_ok=True)
        file.write_text(Comparison(lab=lab, receipts={}, pairs=(pair,)).model_dump_json())
        return Summary(2, 0, 0)

    monkeypatch.setattr(likeness, "compare_lab", compare_lab)
    result = practicum.says("similar", "c", "book-proposal")
    assert result.exit_code == 0
    assert "areum · haneul: proposal.md 71%\n" in result.stdout
    assert said in result.stdout
    told = practicum.says("similar", "c", "book-proposal", "--json").stdout.splitlines()
    assert [json.loads(line).get("finished", False) for line in told] == [False, True]


@pytest.mark.parametrize(
    "command", [("journal", "verify"), ("doctor",), ("model", "list"), ("up",), ("grade", "c", "l")]
)
@pytest.mark.parametrize(
    ("more", "named"),
    [("colour: red", "colour"), ("host: 0.0.0.0", "host"), ("port: [", "practicum.yaml"), ("port: 1", "port")],
)
def test_wrong_settings_are_one_line_for_every_command(
    practicum: Installation, command: tuple[str, ...], more: str, named: str
) -> None:
    practicum.speaks("ko", more)
    assert named in one_error(practicum.says(*command))


def test_no_event_of_ours_is_added_by_looking(practicum: Installation) -> None:
    practicum.seeded()
    practicum.says("journal", "verify")
    engine = open_database(practicum.database)
    with engine.connect() as connection:
        assert connection.execute(text(f"SELECT count(*) FROM {Event.__tablename__}")).scalar() == 12
    engine.dispose()
