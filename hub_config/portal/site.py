"""What every page stands on, and who looks at it. The rule: nobody is shown a page before the Hub said who they are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from pathlib import Path
from typing import Annotated, Any, Protocol
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from anyio import CapacityLimiter
from babel import dates
from fastapi import Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy import Engine
from sqlalchemy.orm import Session as DatabaseSession
from starlette.concurrency import run_in_threadpool

from grader.certificates.paper import DAY
from grader.certificates.press import Press
from grader.records.announcements import Announcement, shown
from grader.records.attend import zone
from grader.records.blobs import BlobStore
from grader.records.corrections import requests_in
from grader.records.db import reading
from grader.records.look_spool import LookSpool
from grader.records.models import CourseLab, CourseRun, Institution, Person
from grader.records.rollup import RollUp
from grader.records.state import find_course
from grader.records.watch import Watch
from grader.records.work import UnknownWork
from grader.roles import Caller
from hub_config.ai_limits import Installation, served
from hub_config.health.gather import Health
from hub_config.portal import i18n
from hub_config.portal.checks import check_pairs
from hub_config.portal.config import PortalSettings
from hub_config.portal.gateway import Gateway
from hub_config.portal.hub import Hub
from hub_config.portal.i18n import N_, Words
from hub_config.portal.idle_servers import IdleServers
from hub_config.portal.lately import Lately
from hub_config.portal.limits import AddressLimiter
from hub_config.portal.listeners import Listeners
from hub_config.portal.one_by_one import OneByOne
from hub_config.portal.places import Place, places
from hub_config.portal.rendering import environment
from hub_config.portal.runs import RunBoard
from hub_config.portal.security import Seals, Session, local_path, same_origin
from hub_config.portal.shared import Shared
from labs.texts import Text

HERE = Path(__file__).parent
SESSION_COOKIE = "practicum-portal"
MOST_WAITING = 64
#: The style of every page, in the order in which one builds on the other.
SHEETS = ("tokens.css", "base.css", "parts.css", "tables.css", "portal.css")


class Identity(Protocol):
    """Says who a Hub token belongs to, as grader.roles.HubIdentity does."""

    def caller(self, token: str) -> Caller | None: ...

    def recall(self, token: str) -> Caller | None: ...


class NotSignedIn(Exception):
    """Nobody the Hub knows; they are sent to its login."""


class PageError(Exception):
    """A page that cannot be shown; its message is one of the catalogue."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class FormOutOfDate(PageError):
    """A form of our own that another login's page made, or that lost its token."""

    def __init__(self) -> None:
        super().__init__(403, N_("This form is out of date. Go back, reload the page and try again."))


@dataclass
class Site:
    """Everything the pages share."""

    settings: PortalSettings
    engine: Engine
    blobs: BlobStore
    identity: Identity
    hub: Hub
    gateway: Gateway
    seals: Seals
    journal: Watch
    #: How the installation is, for its operator; None where the portal runs without one.
    health: Callable[[], Health] | None = None
    #: What AI limits stand on; None where the portal runs without a gateway of its own.
    ai: Installation | None = None
    #: What the portal's processes tell each other.
    shared: Shared = field(default_factory=Shared)
    #: Requests that wait for a learner's server have threads of their own: that server hands in to this very process,
    #: which would have none left to take it when a whole class hands in at once.
    waiting: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(MOST_WAITING))
    pages: OneByOne = field(default_factory=OneByOne)
    words: dict[str, Words] = field(default_factory=i18n.load)
    sheets: tuple[str, ...] = SHEETS
    runs: RunBoard = field(init=False)
    listeners: Listeners = field(init=False)
    lately: Lately = field(init=False)
    idle: IdleServers = field(init=False)
    #: Pages that need no login are asked for so often by one address.
    public_limiter: AddressLimiter = field(init=False)
    looks: LookSpool = field(init=False)
    press: Press = field(init=False)
    rollup: RollUp = field(init=False)
    version: str = field(init=False)

    def __post_init__(self) -> None:
        settings, shared = self.settings, self.shared
        self.runs, self.listeners, self.lately = RunBoard(shared), Listeners(shared), Lately(shared)
        self.idle, self.public_limiter = IdleServers(shared), AddressLimiter(shared)
        self.looks = LookSpool(settings.looks_folder, self.engine)
        self.rollup = RollUp(self.engine, settings.now, check_pairs)
        self.press = Press(
            settings.paper_fonts_folder, settings.keys_folder, self.blobs, settings.address + settings.prefix
        )
        own = [path.read_bytes() for path in sorted((HERE / "static").iterdir())]
        parts = (*own, self.settings.htmx_file.read_bytes())
        self.version = hashlib.sha256(b"".join(parts)).hexdigest()[:12]


@dataclass
class Visit:
    """One request: who asks, in which language, and the course or institution that the page is about."""

    request: Request
    site: Site
    caller: Caller | None = None
    session: Session | None = None
    run: CourseRun | None = None
    institution: Institution | None = None
    database: DatabaseSession | None = None
    _names: dict[str, str] = field(default_factory=dict)

    @property
    def who(self) -> Caller:
        """The signed-in caller; NotSignedIn where there is none."""
        if self.caller is None:
            raise NotSignedIn
        return self.caller

    @property
    def token(self) -> str:
        """The caller's own Hub token."""
        if self.session is None:
            raise NotSignedIn
        return self.session.token

    @property
    def now(self) -> datetime:
        return self.site.settings.now()

    @property
    def words(self) -> Words:
        """The chosen language, else the course's, else Korean."""
        chosen = self.request.cookies.get(i18n.COOKIE, "")
        known = self.site.words
        return known.get(chosen) or known.get(self.run.lang if self.run else "ko") or known["ko"]

    @property
    def zone(self) -> tzinfo:
        """The institution's time zone."""
        if self.run is not None:
            return zone(self.run)
        if self.institution is None:
            raise LookupError("a time is shown only on a course's or an institution's page")
        return ZoneInfo(self.institution.time_zone)

    @property
    def here(self) -> str:
        """This page's own address; of a form that was refused, the page it came from, since its own takes no visits."""
        said = urlsplit(str(self.request.url))
        if self.request.method != "GET":
            try:
                said = urlsplit(self.request.headers.get("referer", ""))
            except ValueError:
                said = urlsplit("")
        prefix = self.site.settings.prefix
        return local_path(said.path + (f"?{said.query}" if said.query else ""), prefix, prefix)

    @property
    def places(self) -> list[Place]:
        """Where the caller may go."""
        if self.caller is None:
            return []
        if self.database is not None:
            return places(self.database, self.caller, self.url)
        with self.records() as database:
            return places(database, self.caller, self.url)

    @property
    def has_gateway(self) -> bool:
        """Whether the AI gateway is that of the page's institution; where there is no gateway, nobody else has it."""
        if self.database is None or self.site.ai is None or self.institution is None:
            return True
        found = served(self.database, self.site.ai.ledger)
        return found is not None and found.id == self.institution.id

    @property
    def open_requests(self) -> int:
        """How many requests for a correction wait in the page's course, for whoever answers them."""
        if self.database is None or self.run is None:
            return 0
        return sum(request.is_open for request in requests_in(self.database, self.run.id))

    @property
    def announcements(self) -> list[Announcement]:
        """What the page's course is told now."""
        if self.database is None or self.run is None:
            return []
        return shown(self.database, self.run.id, self.now)

    @property
    def in_office(self) -> bool:
        """Whether the caller is of the office that the page's course belongs to."""
        return self.run is not None and self.who.is_office(self.run.institution_id)

    @contextmanager
    def records(self) -> Iterator[DatabaseSession]:
        """Read the records, one request after the other; none holds two connections, or a full class could wait for itself."""
        with self.site.pages.turn(), reading(self.site.engine) as database:
            self.database = database
            try:
                yield database
            finally:
                self.database = None

    def look_up(self, course: str) -> CourseRun:
        """Find the page's course before another service is asked; that is too little to wait for a turn."""
        with reading(self.site.engine) as database:
            self.run = find_course(database, course)
            _ = self.zone
            return self.run

    @property
    def csrf(self) -> str:
        return self.site.seals.csrf(self.session) if self.session else ""

    def t(self, message: str, **values: Any) -> str:
        """A message of the catalogue in the page's language."""
        return self.words.fill(message, **values)

    def tn(self, singular: str, plural: str, count: int) -> str:
        """A counting message of the catalogue; `count` fills its %(count)s."""
        return self.words.ngettext(singular, plural, count) % {"count": count}

    def full_date(self, day: date) -> str:
        """A day with its year, as certificates write it."""
        return dates.format_date(day, DAY[self.words.lang], locale=self.words.lang)

    def date(self, day: date) -> str:
        return self.words.date(day)

    def time(self, moment: datetime) -> str:
        return self.words.time(moment, self.zone)

    def moment(self, moment: datetime) -> str:
        return self.words.moment(moment, self.zone)

    def url(self, *parts: str) -> str:
        """An address of the portal."""
        return self.site.settings.prefix + "/".join(quote(part, safe="") for part in parts)

    def title_of(self, run: CourseRun) -> str:
        return Text(ko=run.title_ko, en=run.title_en).in_(self.words.lang)

    def called(self, login: str) -> str:
        """The name of whoever did something; what the records have no name of, such as a program, is called as it is."""
        if self.database is not None and login not in self._names:
            person = self.database.get(Person, login)
            self._names[login] = person.name if person else login
        return self._names.get(login, login)

    def page(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """Render a page."""
        with self.site.pages.turn():
            html = environment(self.words).get_template(template).render(v=self, **values)
        return HTMLResponse(html, status)

    def go(self, *parts: str, query: str = "") -> RedirectResponse:
        """Send the browser on, after a POST too."""
        return RedirectResponse(self.url(*parts) + query, 303)


def visitor(request: Request) -> Visit:
    """Who asks, where the browser's cookie tells and the Hub knows; else nobody."""
    site: Site = request.app.state.portal
    return _visit(request, site.identity.caller)


async def visiting(request: Request) -> Visit:
    """The same in the event loop: a thread, and the wait for one, are taken only where the Hub has to be asked."""
    site: Site = request.app.state.portal
    try:
        return _visit(request, site.identity.recall)
    except LookupError:
        return await run_in_threadpool(visitor, request)


def _visit(request: Request, caller_of: Callable[[str], Caller | None]) -> Visit:
    site: Site = request.app.state.portal
    visit = Visit(request, site)
    request.state.visit = visit
    cookie = request.cookies.get(SESSION_COOKIE, "")
    session = site.seals.unseal(cookie, site.settings.session_hours * 3600) if cookie else None
    if session is not None:
        caller = caller_of(session.token)
        if caller is not None and caller.kind == "user":
            visit.caller, visit.session = caller, session
    return visit


async def signed_in(visit: Annotated[Visit, Depends(visiting)]) -> Visit:
    """The caller; NotSignedIn where the Hub knows none."""
    _ = visit.who
    return visit


async def posted(visit: Annotated[Visit, Depends(signed_in)], csrf: Annotated[str, Form()] = "") -> Visit:
    """A caller whose form came from one of our own pages."""
    settings = visit.site.settings
    origin_holds = same_origin(visit.request, settings.public_url)
    if visit.session is None or not origin_holds or not visit.site.seals.csrf_holds(visit.session, csrf):
        raise FormOutOfDate
    return visit


Anybody = Annotated[Visit, Depends(visiting)]
SignedIn = Annotated[Visit, Depends(signed_in)]
Posted = Annotated[Visit, Depends(posted)]


def as_learner(visit: Visit, course: str) -> None:
    """Go on for a learner of the course."""
    visit.who.must_be_learner(course)


def as_instructor(visit: Visit, course: str) -> None:
    """Go on for an instructor of the course."""
    visit.who.must_be_instructor(course)


def as_staff(visit: Visit, run: CourseRun) -> None:
    """Go on for an instructor of the course run, or for the office of its institution."""
    if not visit.who.is_instructor(run.id):
        visit.who.must_be_office(run.institution_id)


def as_office(visit: Visit, institution: str) -> None:
    """Go on for the office of the institution."""
    visit.who.must_be_office(institution)


def lab_row(visit: Visit, lab: str) -> CourseLab:
    """A lab of the course: only such a name ever reaches a command or a folder."""
    for row in visit.run.labs if visit.run else ():
        if row.lab_id == lab:
            return row
    raise UnknownWork("이 과정에 없는 실습입니다.", "this course has no such lab")
