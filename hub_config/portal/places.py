"""Where somebody may go. The rule: a place is shown only to a caller whose groups name it and that the records know."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from grader.records.models import CourseRun, Institution, Programme
from grader.roles import Caller
from hub_config.portal.i18n import N_
from labs.texts import Text

LEARNING, TEACHING, OFFICE, PROGRAMME = N_("Learning"), N_("Teaching"), N_("Office"), N_("Programme")
OPERATION = N_("Operator")
INSTALLATION = Text(ko="이 시스템", en="This installation")
#: Every page asks these: built once, and nothing else is read.
_TITLES = {
    table: select(table.id, table.title_ko, table.title_en).where(table.id.in_(bindparam("ids", expanding=True)))
    for table in (CourseRun, Institution, Programme)
}


@dataclass(frozen=True)
class Place:
    """A home page of the caller's: a course as learner or instructor, an institution's office, a programme's sums, or the installation."""

    role: str
    title: Text
    url: str


def places(session: Session, who: Caller, url: Callable[..., str]) -> list[Place]:
    """Every place of a caller's: teaching first, because who teaches and learns comes to teach."""
    runs = _titles(session, CourseRun, [*who.courses("formgrade"), *who.courses("nbgrader")])
    offices = _titles(session, Institution, who.institutions())
    programmes = _titles(session, Programme, who.programmes())
    return [
        *(Place(TEACHING, runs[c], url("class", c)) for c in who.courses("formgrade") if c in runs),
        *(Place(LEARNING, runs[c], url("learn", c)) for c in who.courses("nbgrader") if c in runs),
        *(Place(OFFICE, offices[i], url("office", i)) for i in who.institutions() if i in offices),
        *(Place(PROGRAMME, programmes[p], url("programme", p)) for p in who.programmes() if p in programmes),
        *([Place(OPERATION, INSTALLATION, url("operator"))] if who.is_operator else []),
    ]


def _titles(session: Session, table: type[CourseRun | Institution | Programme], ids: Sequence[str]) -> dict[str, Text]:
    """Of those that the records know."""
    return {key: Text(ko=ko, en=en) for key, ko, en in session.execute(_TITLES[table], {"ids": ids})} if ids else {}
