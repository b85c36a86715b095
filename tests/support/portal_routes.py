"""Every route of the portal in one table: who may use it, at which address, and whether it is a page for people.

The rule: a route without a line fails `tests/unit/test_portal_routes.py`, which prints the line that is missing. The roles of that
test and the walk in the browser (`tests/browser/test_page_walk.py`) both come from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute
from portal_full import DONE_COURSE
from test_portal_world import COURSE, OTHER, PREFIX

from grader.roles import Caller
from hub_config.portal.app import ROUTERS

#: Who comes: each with the Hub's groups. `None` is somebody who is not signed in.
ROLES: dict[str, Caller] = {
    "mina": Caller("mina", groups=frozenset({f"nbgrader-{COURSE}", f"nbgrader-{DONE_COURSE}"})),
    "eve": Caller("eve", groups=frozenset({f"nbgrader-{COURSE}"})),
    "far-learner": Caller("far-learner", groups=frozenset({f"nbgrader-{OTHER}"})),
    "teacher": Caller("teacher", groups=frozenset({f"formgrade-{COURSE}"})),
    "far-teacher": Caller("far-teacher", groups=frozenset({f"formgrade-{OTHER}"})),
    "office": Caller("office", groups=frozenset({"institution-hanbit"})),
    # Instructor and office in one, and a learner elsewhere: no role takes from another.
    "both": Caller("both", groups=frozenset({f"formgrade-{COURSE}", "institution-hanbit", f"nbgrader-{OTHER}"})),
    "far-office": Caller("far-office", groups=frozenset({"institution-far"})),
    "ministry": Caller("ministry", groups=frozenset({"programme-p"})),
    "far-ministry": Caller("far-ministry", groups=frozenset({"programme-q"})),
    "operator": Caller("operator", groups=frozenset({"operator"})),
    "stranger": Caller("stranger"),
    "service": Caller("grader", kind="service"),
}
PEOPLE = frozenset(role for role, caller in ROLES.items() if caller.kind == "user")
EVERYBODY = PEOPLE | {"service", None}
LEARNERS, OWN = frozenset({"mina", "eve"}), frozenset({"mina"})
TEACHER, OFFICE = frozenset({"teacher", "both"}), frozenset({"office", "both"})
MINISTRY = frozenset({"ministry"})
OPERATOR = frozenset({"operator"})
STAFF = TEACHER | OFFICE


@dataclass(frozen=True)
class Line:
    """What holds for a route; `{names}` in `at` are filled from the world, else from the route's own path."""

    who: frozenset[Any]
    at: str = ""
    #: Whether a browser shows it as a page of its own; what does not is a file, a part of a page, or leads on.
    page: bool = True
    #: What those get who may.
    gives: int = 200
    #: What others get who are signed in: for some it is as if it were not there.
    missing_for: frozenset[str] = frozenset()
    form: dict[str, str] = field(default_factory=dict)
    course: str = COURSE


def no_page(who: frozenset[Any], at: str = "", **more: Any) -> Line:
    """A file, a part of a page, or something that leads on."""
    return Line(who, at, page=False, **more)


EVE = frozenset({"eve"})
DESK = "class/{course}/labs/{lab}/desk/{submission}"
DONE: dict[str, Any] = {"course": DONE_COURSE}
#: Other staff reads a receipt and feedback too: their own pages lead there.
READERS = OWN | TEACHER
#: Authors of labs: whoever teaches a course or is of an office, wherever.
AUTHORS, A_LAB = frozenset({*TEACHER, *OFFICE, "far-teacher", "far-office"}), "authors/publishing/book-proposal"
GETS: dict[str, Line] = {
    "": no_page(PEOPLE - {"stranger", "far-ministry"}, gives=303),
    "health": no_page(EVERYBODY),
    "login": no_page(EVERYBODY, gives=303),
    "oauth_callback": no_page(EVERYBODY, gives=400),
    "lang/{lang}": no_page(EVERYBODY, gives=303),
    "learn/{course}": Line(LEARNERS),
    "learn/{course}/door": Line(LEARNERS),
    "learn/{course}/attendance": Line(LEARNERS),
    "learn/{course}/receipts/{submission}": Line(READERS, missing_for=EVE),
    "learn/{course}/feedback/{submission}": Line(READERS, missing_for=EVE),
    "learn/{course}/feedback/{submission}/pictures/{criterion}/{index}": no_page(
        READERS, "learn/{course}/feedback/{submission}/pictures/plays/0", missing_for=EVE
    ),
    "learn/{course}/open/{lab}": Line(LEARNERS),
    "learn/{course}/open/{lab}/waiting": no_page(LEARNERS),
    "learn/{course}/hand-in/{lab}/check": no_page(LEARNERS, gives=303),
    "learn/{course}/server": no_page(LEARNERS),
    "learn/{course}/hand-in/{lab}": Line(LEARNERS),
    "learn/{course}/certificate": Line(OWN, **DONE),
    "learn/{course}/certificate/{certificate}/{part}": no_page(OWN, **DONE),
    "learn/{course}/transcript": Line(LEARNERS),
    "learn/{course}/allowance": Line(LEARNERS),
    "learn/{course}/data": Line(LEARNERS),
    "learn/{course}/data/all.zip": no_page(LEARNERS),
    "learn/{course}/ai": Line(LEARNERS),
    "learn/{course}/ai/receipts.csv": no_page(LEARNERS),
    "learn/{course}/ai/receipts/{receipt}": Line(OWN, missing_for=EVE),
    "class/{course}": Line(TEACHER),
    "class/{course}/announcements": Line(TEACHER),
    "class/{course}/code": Line(TEACHER),
    "class/{course}/code/live": no_page(TEACHER),
    "class/{course}/code/arrivals": no_page(TEACHER),
    "class/{course}/code/{slot}.svg": no_page(TEACHER),
    "class/{course}/correct": Line(STAFF),
    "class/{course}/requests": Line(STAFF),
    "class/{course}/signs": Line(STAFF),
    "class/{course}/learners/{login}": Line(STAFF),
    "class/{course}/labs/{lab}": Line(TEACHER),
    "class/{course}/labs/{lab}/run": no_page(TEACHER),
    "class/{course}/labs/{lab}/run/events": no_page(TEACHER),
    "class/{course}/labs/{lab}/log/{learner}": Line(TEACHER),
    "class/{course}/labs/{lab}/similar": Line(TEACHER),
    "class/{course}/labs/{lab}/deadline": Line(TEACHER),
    "class/{course}/labs/{lab}/desk": Line(TEACHER),
    DESK: Line(TEACHER),
    f"{DESK}/ai": Line(TEACHER),
    f"{DESK}/ai/{{call}}": Line(TEACHER),
    f"{DESK}/criteria/{{criterion}}": no_page(TEACHER),
    f"{DESK}/criteria/{{criterion}}/now": no_page(TEACHER),
    f"{DESK}/files/{{number}}": no_page(TEACHER),
    f"{DESK}/captions/{{number}}": no_page(TEACHER, gives=404),
    f"{DESK}/pictures/{{criterion}}/{{index}}": no_page(TEACHER, gives=404),
    "authors": Line(AUTHORS),
    "authors/{pack}/{lab}": Line(AUTHORS, A_LAB),
    "authors/{pack}/{lab}/run": no_page(AUTHORS, f"{A_LAB}/run"),
    "authors/{pack}/{lab}/run/events": no_page(AUTHORS, f"{A_LAB}/run/events"),
    "authors/{pack}/{lab}/page/{lang}": no_page(AUTHORS, f"{A_LAB}/page/ko", gives=404),
    "authors/{pack}/{lab}/files/{lang}/{number}": no_page(AUTHORS, f"{A_LAB}/files/ko/0", gives=404),
    "class/{course}/assignments": Line(TEACHER),
    "class/{course}/reports": Line(TEACHER),
    "class/{course}/reports/{report}": Line(TEACHER),
    "class/{course}/ai": Line(TEACHER),
    "class/{course}/ai/topics": Line(TEACHER),
    "class/{course}/flow": Line(TEACHER),
    "class/{course}/ai/receipts": Line(TEACHER),
    "class/{course}/ai/receipts.csv": no_page(TEACHER),
    "class/{course}/ai/receipts/{receipt}": Line(TEACHER),
    "class/{course}/ai/switch": Line(TEACHER, "class/{course}/ai/switch?to=off"),
    "office/{institution}": Line(OFFICE),
    "office/{institution}/ai/use": Line(OFFICE),
    "office/{institution}/ai/receipts.csv": no_page(OFFICE),
    "office/{institution}/ai/limits": Line(OFFICE),
    "office/{institution}/ai/limits/{kind}": Line(OFFICE, "office/{institution}/ai/limits/learner?course={course}"),
    "office/{institution}/journal/looks": Line(OFFICE),
    "office/{institution}/reports/runs": Line(OFFICE),
    "office/{institution}/runs/new": Line(OFFICE),
    "office/{institution}/staff/roles": Line(OFFICE),
    "office/{institution}/state/settings": Line(OFFICE),
    "office/{institution}/{course}/forecast": Line(OFFICE),
    "office/{institution}/{course}/labs": Line(OFFICE),
    "office/{institution}/{course}": Line(OFFICE),
    "office/{institution}/{course}/people/{login}": Line(OFFICE),
    "office/{institution}/{course}/people/{login}/all.zip": no_page(OFFICE),
    "office/{institution}/{course}/import": Line(OFFICE),
    "office/{institution}/{course}/import/{kind}/{sha256}": Line(OFFICE),
    "office/{institution}/{course}/template/{name}": no_page(OFFICE),
    "office/{institution}/{course}/differences": Line(OFFICE),
    "office/{institution}/{course}/certificates": Line(OFFICE, **DONE),
    "office/{institution}/{course}/certificates/{certificate}/{part}": no_page(OFFICE, **DONE),
    "office/{institution}/{course}/reports": Line(OFFICE),
    "office/{institution}/{course}/reports/{report}": Line(OFFICE),
    "programme/{programme}": Line(MINISTRY),
    "operator": Line(OPERATOR),
    "verify/{token}": Line(EVERYBODY),
    "issuers/{institution}": Line(EVERYBODY),
    "issuers/{institution}/did.json": no_page(EVERYBODY),
    "issuers/{institution}/status/{purpose}/{number}": no_page(EVERYBODY, "issuers/{institution}/status/{purpose}/1"),
}
POSTS: dict[str, Line] = {
    "logout": Line(PEOPLE),
    "operator/test-call": Line(OPERATOR),
    "learn/{course}/check": Line(LEARNERS),
    "learn/{course}/hand-in/{lab}": Line(LEARNERS),
    "learn/{course}/hand-in/{lab}/check": Line(LEARNERS),
    "learn/{course}/attendance/ask": Line(LEARNERS),
    "learn/{course}/server/keep": Line(LEARNERS, gives=303),
    "learn/{course}/certificate/{certificate}": Line(OWN, **DONE),
    "class/{course}/correct": Line(STAFF),
    "class/{course}/requests/{request}/refuse": Line(STAFF),
    "class/{course}/labs/{lab}/grade": Line(TEACHER),
    "class/{course}/labs/{lab}/feedback": Line(TEACHER),
    "class/{course}/labs/{lab}/similar": Line(TEACHER),
    "class/{course}/labs/{lab}/deadline": Line(TEACHER),
    "class/{course}/labs/{lab}/deadline/extensions": Line(TEACHER),
    "class/{course}/labs/{lab}/deadline/withdrawals": Line(TEACHER),
    "class/{course}/labs/{lab}/desk/blind": Line(TEACHER, form={"to": "on"}),
    f"{DESK}/criteria/{{criterion}}": Line(TEACHER, form={"version": "0"}),
    "authors/{pack}/{lab}/look": Line(AUTHORS, f"{A_LAB}/look", gives=303),
    "class/{course}/assignments/{name}": Line(TEACHER),
    "class/{course}/announcements": Line(TEACHER, form={"text": "내일은 헤드폰을 가져오세요."}),
    "class/{course}/announcements/{announcement}/withdraw": Line(TEACHER),
    "class/{course}/ai/switch": Line(TEACHER, form={"to": "off"}),
    "office/{institution}/ai/limits/{kind}": Line(
        OFFICE, "office/{institution}/ai/limits/learner", form={"krw": "5000"}
    ),
    "office/{institution}/runs/new": Line(OFFICE),
    "office/{institution}/staff/roles": Line(OFFICE),
    "office/{institution}/staff/roles/end": Line(OFFICE),
    "office/{institution}/{course}/labs": Line(OFFICE),
    "office/{institution}/{course}/freeze": Line(OFFICE),
    "office/{institution}/{course}/people/{login}/{act}": Line(OFFICE),
    "office/{institution}/{course}/import/{kind}": Line(OFFICE),
    "office/{institution}/{course}/import/{kind}/{sha256}/columns": Line(OFFICE, form={"column": ""}),
    "office/{institution}/{course}/import/{kind}/{sha256}/apply": Line(OFFICE, form={"plan": "0"}),
    "office/{institution}/{course}/certificates": Line(OFFICE, **DONE),
    "office/{institution}/{course}/certificates/{certificate}/revoke": Line(OFFICE, **DONE),
}
TABLE = {"GET": GETS, "POST": POSTS}


def routes(routers: Iterable[APIRouter] = ROUTERS) -> Iterator[tuple[str, str]]:
    """Method and path below the prefix of every route of the pages; the API's have tests of their own."""
    for route in (route for router in routers for route in router.routes if isinstance(route, APIRoute)):
        yield from ((method, route.path.lstrip("/")) for method in sorted(route.methods))


def address(path: str, line: Line, filled: dict[str, str]) -> str:
    """Where a route is asked for in the played world."""
    return PREFIX + (line.at or path).format_map({**filled, "course": line.course})
