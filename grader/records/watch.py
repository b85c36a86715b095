"""How the journal stands, for pages: what is new is walked each time, the whole once a day and at the start.

The rule: it is said when the whole was last walked; a change further back than that shows at the next whole walk. No page
waits for a whole walk that is under way: until the first one is over, it says so.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from grader.records import chain, head_check
from grader.records.chain import Finding, Place
from grader.records.db import reading
from grader.records.heads import Heads
from grader.records.models import Event


@dataclass(frozen=True)
class Standing:
    """What is known of the journal: the first thing that does not hold, and when all was walked last."""

    finding: Finding | None
    whole_at: datetime


class Watch:
    """Remembers how far the chain was walked. `exported`: the heads that a whole walk holds it against, if any."""

    def __init__(self, engine: Engine, now: Callable[[], datetime], exported: Heads | None = None) -> None:
        self._engine, self._now, self._exported = engine, now, exported
        self._lock = threading.Lock()
        self._standing: Standing | None = None
        self._walking = False
        self._at = Place()

    @property
    def known(self) -> Standing | None:
        """What is known without walking."""
        return self._standing

    @property
    def exported(self) -> Heads | None:
        """The signed heads that a whole walk holds the journal against."""
        return self._exported

    def whole(self) -> Standing:
        """Walk everything; pages are answered meanwhile with what is known."""
        now, self._walking = self._now(), True
        try:
            with reading(self._engine) as session:
                walked = self._walk(session)
            with self._lock:
                return self._keep(walked, now)
        finally:
            self._walking = False

    def look(self, session: Session) -> Standing | None:
        """Walk what came since the last walk; everything where there was none. A finding stays until all is walked again.

        None while the first walk is under way in another thread.
        """
        with self._lock:
            standing = self._standing
            if standing is None and self._walking:
                return None
            if standing is None:
                return self._keep(self._walk(session), self._now())
            if standing.finding is not None:
                return standing
            return self._keep(_since(session, self._at), standing.whole_at)

    def _walk(self, session: Session) -> chain.Walk:
        return head_check.verify(session, self._exported) if self._exported else chain.walk(session)

    def _keep(self, walked: chain.Walk, whole_at: datetime) -> Standing:
        self._at = walked.at
        self._standing = Standing(walked.finding, whole_at)
        return self._standing


def _since(session: Session, at: Place) -> chain.Walk:
    """Go on from a place, where it still is what it was."""
    stands = at.seq == 0 or session.scalar(select(Event.hash).where(Event.seq == at.seq)) == at.hash
    return chain.walk(session, at) if stands else chain.walk(session, known={at.seq: at.hash})
