"""What is known of a class today, put together for grader.needs. The rule: a gateway that is away leaves a need out, never guesses."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from sqlalchemy.orm import Session

from grader.handed_out import spec_of
from grader.needs import FAILED_IN_A_ROW, Failing, Kind, Need, Today, needs_of
from grader.records import self_checks, sightings
from grader.records.models import SelfCheck
from grader.records.signs import workers
from grader.records.state import CourseState
from hub_config.portal.i18n import N_
from hub_config.portal.site import Visit
from labs.texts import Text

#: Each need in a word or two, with the sign of its badge.
WORDS: dict[Kind, tuple[str, str]] = {
    "dismissal": (N_("Dismissal warning"), "bad"),
    "out_of_reach": (N_("Completion out of reach"), "bad"),
    "budget_gone": (N_("AI budget gone"), "todo"),
    "checks_failing": (N_("Self-check failing"), "todo"),
    "no_activity": (N_("No activity"), "todo"),
    "overdue": (N_("Overdue"), "todo"),
    "absent": (N_("Not here"), "info"),
}


@dataclass(frozen=True)
class AiToday:
    """Who called AI since midnight, and when it refused somebody's newest call for the budget; how many calls each made ever,
    where that was asked too."""

    users: frozenset[str] = frozenset()
    refused: Mapping[str, datetime] | None = None
    calls: Mapping[str, int] | None = None


def ai_today(visit: Visit, course: str, *, ever: bool = False) -> AiToday | None:
    """Ask the gateway once what the class did; None where it does not answer. The page's course is known by now."""
    gateway, midnight = visit.site.gateway, _midnight(visit)
    if not gateway.is_there:
        return AiToday()
    since = {} if ever else {"since": midnight.isoformat()}
    lines = gateway.spend("learner", visit.token, course=course, by="outcome", **since)
    if lines is None:
        return None
    newest = {(line.name, line.outcome): line.last_at for line in lines if line.last_at}
    gone = {
        name: at for (name, outcome), at in newest.items()
        if outcome == "budget_exceeded" and at >= midnight and ((name, "ok") not in newest or newest[name, "ok"] < at)
    }  # fmt: skip
    users = frozenset(line.name for line in lines if line.calls and line.last_at and line.last_at >= midnight)
    calls: Counter[str] = Counter()
    for line in lines:
        calls[line.name] += line.calls
    return AiToday(users, gone, calls if ever else None)


def needs_of_class(
    visit: Visit, session: Session, state: CourseState, ai: AiToday | None, only: str = ""
) -> dict[str, tuple[Need, ...]]:
    """What each learner of the class needs, or one only, by login."""
    run, now = state.run, visit.now.astimezone(visit.zone)
    midnight, day = _midnight(visit), state.day(now.date())
    until = midnight + timedelta(days=1)
    worked = workers(session, run, midnight, until) | {
        seen.login for seen in sightings.seen_since(session, run.id, midnight, until) if seen.what == sightings.OPENED
    }
    told = self_checks.of_course(session, run.id)
    claims = {row.login for row in told if row.at >= midnight}
    failing = _failing(visit, state, told)
    found = {}
    for learner in state.learners:
        login = learner.login
        if only not in ("", login):
            continue
        at = ai.refused.get(login) if ai and ai.refused else None
        found[login] = needs_of(learner, Today(
            now, day, timedelta(minutes=state.rules.grace_minutes), learner.today,
            worked=None if ai is None else login in worked | ai.users,
            budget_refused_at=at.astimezone(visit.zone) if at else None,
            failing=tuple(failing[login]), says_it_checked=login in claims,
        ))  # fmt: skip
    return found


def _failing(visit: Visit, state: CourseState, told: list[SelfCheck]) -> dict[str, list[Failing]]:
    """What does not pass, with the criterion's title as it was handed out."""
    rows = [row for row in told if row.failed_in_a_row >= FAILED_IN_A_ROW]
    titles: dict[str, dict[str, Text]] = {}
    for lab in {row.lab_id for row in rows}:
        spec = spec_of(visit.site.blobs, state.releases.get(lab))
        titles[lab] = {criterion.id: criterion.title for criterion in spec.criteria} if spec else {}
    found: dict[str, list[Failing]] = defaultdict(list)
    for row in rows:
        title = titles[row.lab_id].get(row.criterion) or Text(ko=row.criterion, en=row.criterion)
        found[row.login].append(Failing(row.lab_id, title, row.failed_in_a_row, row.at.astimezone(visit.zone)))
    return found


def _midnight(visit: Visit) -> datetime:
    return datetime.combine(visit.now.astimezone(visit.zone).date(), time(0), visit.zone)
