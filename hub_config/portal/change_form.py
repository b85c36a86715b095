"""A day as somebody says it should be, as typed into a form. The rule: what is not understood is refused by its name."""

from __future__ import annotations

import re
from datetime import date, time

from pydantic import BaseModel

from grader.records.attend import Change, Refused, Span

NO_OUTINGS = ("-", "없음", "none")
#: The choice that takes an excuse back.
WITHDRAW = "-"
SPAN = re.compile(r"^(\d{1,2}:\d{2})\s*[-~–]\s*(\d{1,2}:\d{2})$")
MOST_OUTINGS = 8


class ChangeForm(BaseModel):
    """The fields of a correction, or of a request for one."""

    csrf: str = ""
    day: str = ""
    check_in: str = ""
    check_out: str = ""
    outings: str = ""
    excuse_kind: str = ""
    evidence: str = ""
    reason: str = ""

    @property
    def on(self) -> date:
        """The day; Refused where it is none."""
        try:
            return date.fromisoformat(self.day)
        except ValueError:
            raise Refused("no_training_day") from None

    @property
    def change(self) -> Change:
        """What is to change; Refused names what is not understood."""
        withdrawn = self.excuse_kind == WITHDRAW
        kind = "" if withdrawn else self.excuse_kind
        return Change(
            check_in=_time(self.check_in) if self.check_in.strip() else None,
            check_out=_time(self.check_out) if self.check_out.strip() else None,
            outings=_outings(self.outings),
            excuse_kind=kind or None,
            evidence=self.evidence if kind else None,
            excuse_withdrawn=withdrawn,
        )


def typed(change: Change) -> dict[str, str]:
    """A change as its form would have it."""
    outings = None if change.outings is None else ", ".join(f"{a:%H:%M}-{b:%H:%M}" for a, b in change.outings) or "-"
    return {
        "check_in": f"{change.check_in:%H:%M}" if change.check_in else "",
        "check_out": f"{change.check_out:%H:%M}" if change.check_out else "",
        "outings": outings or "",
        "excuse_kind": WITHDRAW if change.excuse_withdrawn else change.excuse_kind or "",
        "evidence": change.evidence or "",
    }


def _outings(said: str) -> tuple[Span, ...] | None:
    said = said.strip()
    if not said:
        return None
    if said in NO_OUTINGS:
        return ()
    parts = [part.strip() for part in said.split(",") if part.strip()]
    found = [SPAN.match(part) for part in parts[: MOST_OUTINGS + 1]]
    if len(parts) > MOST_OUTINGS or not all(found):
        raise Refused("not_outings")
    return tuple((_time(match[1]), _time(match[2])) for match in found if match)


def _time(said: str) -> time:
    hours, _, rest = said.strip().partition(":")
    try:
        return time.fromisoformat(f"{hours:0>2}:{rest}").replace(tzinfo=None, second=0, microsecond=0)
    except ValueError:
        raise Refused("not_a_time") from None
