"""Walking the journal's chain. The rule: the first event that does not hold is found and named, and the walk keeps neither
memory nor a lock: it reads a part at a time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any, Literal

from sqlalchemy import Row, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from grader.records.models import Event
from labs.texts import Text

GENESIS = "0" * 64
_AT_ONCE = 1_000  # SQLite's writers wait while a part is read
_COLUMNS = Event.__table__.columns

Fault = Literal["missing", "order", "changed", "unreadable", "rewritten", "cut_off", "head"]


@dataclass(frozen=True)
class Finding:
    """The first thing in the records that does not hold: what it is, at which event, and a sentence."""

    fault: Fault
    seq: int
    text: Text


@dataclass(frozen=True)
class Place:
    """A place in the chain: the number and the hash of an event; before the first one, 0 and 64 zeros."""

    seq: int = 0
    hash: str = GENESIS


@dataclass
class Walk:
    """How far a walk came, and the first thing that does not hold."""

    at: Place = Place()
    finding: Finding | None = None
    known: Mapping[int, str] = field(default_factory=dict)


def fields_of(event: Event | Row[Any]) -> dict[str, Any]:
    """What of an event is hashed, as JSON has it."""
    return {
        "seq": event.seq,
        "id": event.id,
        "at": event.at.astimezone(UTC).isoformat(),
        "actor": event.actor,
        "kind": event.kind,
        "course": event.course_id,
        "subject": event.subject,
        "payload": event.payload,
        "key": event.key,
        "previous": event.previous,
    }


def digest(event: Event | Row[Any]) -> str:
    """The hash that an event must carry."""
    canonical = json.dumps(fields_of(event), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def verify(session: Session) -> Finding | None:
    """Walk the whole chain; give None when it holds, else what does not."""
    return walk(session).finding


def walk(session: Session, since: Place = Place(), known: Mapping[int, str] | None = None) -> Walk:
    """Walk the chain from a place on, to its end or to the first event that does not hold.

    `known`: hashes that were kept elsewhere, by the events' numbers; what they say has to stand in the chain.
    """
    going = Walk(since, known=known or {})
    for row in rows(session, since.seq or None):
        going.finding = row if isinstance(row, Finding) else _fault(row, going)
        if going.finding is not None:
            return going
        assert not isinstance(row, Finding)  # noqa: S101
        going.at = Place(row.seq, row.hash)
    if cut := [seq for seq in going.known if seq > going.at.seq]:
        going.finding = _cut_off(going.at.seq, max(cut))
    return going


def rows(session: Session, after: int | None = None) -> Iterator[Row[Any] | Finding]:
    """Every event, or those after a number, as a row of its columns; a Finding, as the last one, where one cannot be read."""
    at_once = _AT_ONCE
    while True:
        query = select(*_COLUMNS).order_by(_COLUMNS.seq).limit(at_once)
        query = query if after is None else query.where(_COLUMNS.seq > after)
        try:
            part = session.execute(query).all()
        except (ValueError, TypeError, DBAPIError) as error:
            if isinstance(error, DBAPIError) and "decode" not in str(error):
                raise
            if at_once == 1:
                yield _unreadable(session, after, error)
                return
            at_once = 1  # one of this part: look at each, and name it
            continue
        if not part:
            return
        yield from part
        after = part[-1].seq


def _fault(row: Row[Any], going: Walk) -> Finding | None:
    seq = going.at.seq
    if row.seq != seq + 1:
        return Finding("missing", seq + 1, Text(
            ko=f"{seq + 1}번 기록이 없습니다. {seq}번 다음이 {row.seq}번입니다.",
            en=f"event {seq + 1} is missing: the chain goes from {seq} to {row.seq}"))  # fmt: skip
    if row.previous != going.at.hash:
        return Finding("order", row.seq, Text(
            ko=f"{row.seq}번 기록({row.kind})이 {seq}번 기록에 이어지지 않습니다. 기록이나 순서가 바뀌었습니다.",
            en=f"event {row.seq} ({row.kind}) does not follow event {seq}: the order or an event was changed"))  # fmt: skip
    if row.hash != _digest_or_none(row):
        return Finding("changed", row.seq, Text(
            ko=f"{row.seq}번 기록({row.kind}, {row.at.isoformat()})이 기록된 뒤에 바뀌었습니다.",
            en=f"event {row.seq} ({row.kind}, {row.at.isoformat()}) was changed after it was written"))  # fmt: skip
    if going.known.get(row.seq, row.hash) != row.hash:
        return Finding("rewritten", row.seq, Text(
            ko=f"{row.seq}번 기록({row.kind})이 내보낸 서명과 다릅니다. 이 기록까지의 사슬을 새로 만들었습니다.",
            en=f"event {row.seq} ({row.kind}) is not the one whose hash was exported: the chain up to it was written anew"))  # fmt: skip
    return None


def _digest_or_none(row: Row[Any]) -> str | None:
    try:
        return digest(row)
    except (TypeError, ValueError):  # a column holds what no event can
        return None


def _cut_off(last: int, kept: int) -> Finding:
    return Finding("cut_off", last + 1, Text(
        ko=f"기록이 {last}번에서 끝나지만 {kept}번의 해시를 내보낸 적이 있습니다. {last + 1}번부터 잘려 나갔습니다.",
        en=f"the journal ends at event {last}, but the hash of event {kept} was exported: event {last + 1} and those after "
        "it were cut off"))  # fmt: skip


def _unreadable(session: Session, after: int | None, error: Exception) -> Finding:
    query = select(func.min(_COLUMNS.seq))
    seq = session.scalar(query if after is None else query.where(_COLUMNS.seq > after)) or 0
    said = " ".join(str(getattr(error, "orig", error)).split())[:200]
    return Finding("unreadable", seq, Text(
        ko=f"{seq}번 기록을 읽을 수 없습니다: {said}", en=f"event {seq} cannot be read: {said}"))  # fmt: skip
