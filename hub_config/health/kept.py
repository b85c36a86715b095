"""What is kept: the grading queue, the journal's heads, the last backup. The rule: counts and moments, no record of anybody."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from grader.records.db import engine_for, reading
from grader.records.heads import EXPORTED, HeadsError, zone_of
from grader.records.models import Event, GradingTask, Person
from grader.records.watch import Standing
from hub_config.backup.noted import noted
from hub_config.heads import head_export
from hub_config.health.finding import Finding
from hub_config.settings import Settings
from labs.texts import Text

#: The journal's head is due each day, a backup each week.
HEAD_DUE, BACKUP_DUE = timedelta(days=2), timedelta(days=8)


def look(settings: Settings, now: datetime, engine: Engine | None, standing: Standing | None) -> list[Finding]:
    """The grading queue, the journal and the backup; `engine` where there is one already, `standing` what a walk found."""
    with _records(settings, engine) as records:
        if records is None:
            nothing = Text(ko="아직 기록이 없습니다.", en="there are no records yet")
            return [Finding("records", "records", "off", nothing), _backup(settings, now)]
        try:
            at = now.astimezone(_zone(records))
            return [_queue(records), _journal(settings, at, records, standing), _backup(settings, at)]
        except SQLAlchemyError as error:
            said = Text(
                ko=f"데이터베이스가 답하지 않습니다({type(error).__name__}).",
                en=f"the database does not answer ({type(error).__name__})",
            )
            return [Finding("records", "records", "bad", said), _backup(settings, now)]


def here(settings: Settings, now: datetime, engine: Engine | None) -> datetime:
    """A moment in the institution's time zone, where there are records; in UTC else."""
    with _records(settings, engine) as records:
        return now.astimezone(UTC if records is None else _zone(records))


def people(settings: Settings, engine: Engine | None) -> set[str]:
    """Every login and every word of a name, which no line of a log may show.

    Of names those with a Latin letter: every other letter is taken out of a line as it is.
    """
    latin = func.lower(Person.name) != func.upper(Person.name)
    named = (
        select(func.aggregate_strings(Person.login, " ")),
        select(func.aggregate_strings(Person.name, " ")).where(latin),
    )
    with _records(settings, engine) as records:
        if records is None:
            return set()
        with reading(records) as session:
            return {word for words in named for word in (session.scalar(words) or "").split()}


@contextmanager
def _records(settings: Settings, engine: Engine | None) -> Iterator[Engine | None]:
    """The records' database, opened where it is not yet; None where there are no records."""
    if engine is not None:
        yield engine
    elif settings.database_url is None and not settings.records_path.is_file():
        yield None
    else:
        mine = engine_for(settings.records_database)
        try:
            yield mine
        finally:
            mine.dispose()


def _zone(engine: Engine) -> ZoneInfo:
    with reading(engine) as session:
        return zone_of(session)[1]


def _clock(moment: datetime, like: datetime) -> str:
    """A moment in another one's zone, with its name."""
    return f"{moment.astimezone(like.tzinfo):%Y-%m-%d %H:%M %Z}"


def _queue(engine: Engine) -> Finding:
    with reading(engine) as session:
        query = select(GradingTask.state, func.count()).group_by(GradingTask.state)
        states: dict[str, int] = dict(iter(session.execute(query)))
    waiting, taken, failed = (states.get(state, 0) for state in ("waiting", "taken", "failed"))
    said = Text(
        ko=f"채점 대기 {waiting}건, 채점 중 {taken}건, 처리하지 못함 {failed}건",
        en=f"{waiting} submissions wait for grading, {taken} are being graded, {failed} could not be graded",
    )
    todo = Text(ko="강사가 채점 로그에서 이유를 봅니다.", en="instructors see why in the grading log")
    return Finding("queues", "grading", "todo" if failed else "good", said, todo if failed else None)


def _journal(settings: Settings, now: datetime, engine: Engine, standing: Standing | None) -> Finding:
    if standing is not None and standing.finding is not None:
        said = standing.finding.text
        return Finding("records", "journal", "bad", said, Text(ko="백업을 덮어쓰지 말고 practicum journal verify", en="keep the backups, and run practicum journal verify"))  # fmt: skip
    try:
        heads = head_export(settings).heads.read()
    except (HeadsError, OSError) as error:
        text = error.text if isinstance(error, HeadsError) else Text(ko=str(error), en=str(error))
        return Finding("records", "journal", "bad", text)
    covered = heads[-1].seq if heads else 0
    with reading(engine) as session:
        oldest = session.scalar(
            select(Event.at).where(Event.seq > covered, Event.kind != EXPORTED).order_by(Event.seq).limit(1)
        )
    late = oldest is not None and now - oldest > HEAD_DUE
    ko = f"마지막 서명 {heads[-1].number}번, {_clock(heads[-1].at, now)}" if heads else "서명이 아직 없습니다"
    en = f"last signed head {heads[-1].number}, {_clock(heads[-1].at, now)}" if heads else "no signed head yet"
    if standing is not None:
        ko += f"; 전체 검사 {_clock(standing.whole_at, now)}, 온전함"
        en += f"; walked whole {_clock(standing.whole_at, now)}, it holds"
    todo = Text(
        ko="이틀 넘은 기록에 서명이 없습니다: practicum journal export",
        en="events of more than two days have no head: practicum journal export",
    )
    return Finding("records", "journal", "todo" if late else "good", Text(ko=ko, en=en), todo if late else None)


def _backup(settings: Settings, now: datetime) -> Finding:
    todo = Text(
        ko="practicum backup create FILE --passphrase-file FILE",
        en="practicum backup create FILE --passphrase-file FILE",
    )
    last = next((note for note in noted(settings.data) if note.what == "made"), None)
    if last is None:
        return Finding(
            "records", "backup", "todo", Text(ko="백업이 아직 없습니다.", en="no backup has been made yet"), todo
        )
    old, when = now - last.at > BACKUP_DUE, _clock(last.at, now)
    said = Text(
        ko=f"{when}, {last.size_bytes / 1e6:.1f}MB, {last.name}",
        en=f"{when}, {last.size_bytes / 1e6:.1f} MB, {last.name}",
    )
    return Finding("records", "backup", "todo" if old else "good", said, todo if old else None)
