"""What an institution's installation stands on: settings, the journal, backups. The rule: to be read only, and no secret in it."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from sqlalchemy import select

from grader.records.heads import Head, HeadsError
from grader.records.models import Event, Institution
from grader.records.state import UnknownCourse
from hub_config.backup.noted import Noted, noted
from hub_config.portal.pages import PageRoute
from hub_config.portal.site import SignedIn, Visit, as_office

router = APIRouter(route_class=PageRoute, include_in_schema=False)
MOST_HEADS = 10


@router.get("/office/{institution}/state/settings")
def state(visit: SignedIn, institution: str) -> HTMLResponse:
    """How the journal stands, when backups were made, and every setting with its meaning."""
    as_office(visit, institution)
    with visit.records() as session:
        found = session.get(Institution, institution)
        if found is None:
            raise UnknownCourse("그런 기관이 없습니다.", "there is no such institution")
        visit.institution = found
        newest = session.execute(select(Event.seq, Event.at, Event.hash).order_by(Event.seq.desc()).limit(1)).first()
        heads, trouble = _heads(visit)
        notes = noted(visit.site.settings.courses_folder.parent)
        return visit.page(
            "state.html", at="state", journal=visit.site.journal.look(session), newest=newest, heads=heads, trouble=trouble,
            made=_last(notes, "made"), verified=_last(notes, "verified"), notes=notes[:MOST_HEADS],
            settings=visit.site.settings.shown_settings,
        )  # fmt: skip


def _heads(visit: Visit) -> tuple[list[Head], str]:
    """The newest signed heads, or why they cannot be read."""
    exported = visit.site.journal.exported
    try:
        return (exported.read()[-MOST_HEADS:][::-1] if exported else []), ""
    except (HeadsError, OSError) as error:
        return [], error.text.in_(visit.words.lang) if isinstance(error, HeadsError) else type(error).__name__


def _last(notes: list[Noted], what: str) -> Noted | None:
    return next((one for one in notes if one.what == what), None)
