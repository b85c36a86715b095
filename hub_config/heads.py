"""Exporting the journal's signed heads: into the records' folder, and to an address outside where one is set.

The rule: an address that does not answer stops nothing; what it did not get goes with the next head.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date, datetime

import httpx
from sqlalchemy import Engine

from grader.records import heads
from grader.records.heads import Head, Heads
from hub_config.settings import Settings

LOG = logging.getLogger(__name__)
TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class HeadExport:
    """Where heads are kept, and the address that gets a copy of each."""

    heads: Heads
    url: str | None = None

    def export(self, engine: Engine, now: datetime, *, before: date | None = None) -> Head | None:
        """Export the head that is due (`grader.records.heads.export`) and send what was not sent yet."""
        head = heads.export(engine, self.heads, now, before=before)
        if head is not None and self.url is not None:
            self._send(self.url)
        return head

    def _send(self, url: str) -> None:
        """Post the lines that the address has not got, as one body of JSON lines."""
        mark = self.heads.folder / "sent"
        sent = int(mark.read_text()) if mark.is_file() else 0
        lines = [head for head in self.heads.read() if head.number > sent]
        body = b"".join(head.line + b"\n" for head in lines)
        try:
            answer = httpx.post(
                url, content=body, headers={"content-type": "application/jsonl"}, timeout=TIMEOUT_SECONDS
            )
            answer.raise_for_status()
        except httpx.HTTPError as error:
            LOG.warning("journal_head_url: %s heads were not taken, they go with the next one: %r", len(lines), error)
            return
        mark.write_text(str(lines[-1].number))


def head_export(settings: Settings) -> HeadExport:
    """The heads of an installation."""
    folder = settings.records_path.parent / "heads"
    return HeadExport(Heads(folder, settings.data / "secrets" / "journal-key"), settings.journal_head_url)
