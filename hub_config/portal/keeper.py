"""What the portal does by itself: it walks the whole journal at its start and once a day, exports the head of a day that is
over, and folds the runs that pages will ask for.

The rule: what was done is read from the records and the heads, never remembered; so a restart neither forgets nor doubles a day.
"""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Engine

from grader.records import heads
from grader.records.db import reading
from grader.records.warming import warm
from grader.records.watch import Watch
from hub_config.heads import HeadExport

LOG = logging.getLogger(__name__)
EVERY_SECONDS, WHOLE_WALK = 60.0, timedelta(days=1)


class Keeper:
    """A thread that wakes up once a minute."""

    def __init__(self, watch: Watch, engine: Engine, exported: HeadExport | None, now: Callable[[], datetime]) -> None:
        self._watch, self._engine, self._exported, self._now = watch, engine, exported, now
        self._walked_at: datetime | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Begin, with a whole walk."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is being done is finished first."""
        self._stopping.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.tick()
            self._stopping.wait(EVERY_SECONDS)

    def tick(self) -> None:
        """Do what is due; what goes wrong is a line in the log, and is tried again."""
        for due in (self._export, self._walk, self._warm):
            try:
                due()
            except Exception:
                LOG.exception("the portal's keeper")

    def _export(self) -> None:
        if self._exported is None:
            return
        now = self._now()
        with reading(self._engine) as session:
            _, zone = heads.zone_of(session)
        self._exported.export(self._engine, now, before=now.astimezone(zone).date())

    def _warm(self) -> None:
        if warm(self._engine, self._now, self._stopping):
            # What was folded stays, up to millions of objects: pages would stand still again and again while the collector
            # walks them. Now it walks them once, and what a newer state has replaced goes.
            gc.unfreeze()
            gc.collect()
            gc.freeze()

    def _walk(self) -> None:
        now = self._now()
        if self._walked_at is not None and abs(now - self._walked_at) < WHOLE_WALK:
            return
        self._walked_at = now
        if (finding := self._watch.whole().finding) is not None:
            LOG.error("the journal does not hold: %s", finding.text.en)
