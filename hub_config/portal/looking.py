"""Writes down who looks at whose record. The rule: every page of a course is such a look, but for those named here."""

from __future__ import annotations

from sqlalchemy.orm import Session

from grader.records import certificates, work
from grader.records.certificates import BadCertificate
from grader.records.db import reading
from grader.records.work import UnknownWork
from hub_config.portal.i18n import N_
from hub_config.portal.site import Visit

#: Pages on which nobody's record stands, by their routes.
NOBODYS = frozenset((
    "office/{institution}", "office/{institution}/runs/new", "office/{institution}/state/settings", "office/{institution}/ai/limits", "office/{institution}/ai/limits/{kind}", "office/{institution}/{course}/labs", "office/{institution}/reports/runs", "office/{institution}/{course}/reports", "class/{course}/reports",
    "office/{institution}/{course}/import", "office/{institution}/{course}/template/{name}",
    "class/{course}/code", "class/{course}/code/live", "class/{course}/code/arrivals", "class/{course}/code/{slot}.svg",
    "class/{course}/assignments", "class/{course}/announcements", "class/{course}/ai/switch",
    "class/{course}/labs/{lab}/run", "class/{course}/labs/{lab}/run/events",
))  # fmt: skip
#: What people call the pages, the longest beginning first.
CALLED = (
    ("class/{course}/labs/{lab}/desk", N_("Review desk")),
    ("class/{course}/labs/{lab}/log", N_("Grading log")),
    ("class/{course}/labs/{lab}", N_("Submissions of a lab")),
    ("class/{course}/ai/topics", N_("What the class asked AI")),
    ("class/{course}/ai", N_("AI use of the class")),
    ("class/{course}/learners", N_("Attendance of a learner")),
    ("class/{course}/requests", N_("Requests for corrections")),
    ("class/{course}/signs", N_("To look into")),
    ("class/{course}/correct", N_("Correct attendance")),
    ("class/{course}/reports", N_("Reports")),
    ("class/{course}/flow", N_("Where labs lose people")),
    ("class/{course}", N_("Class roster")),
    ("office/{institution}/staff", N_("People and roles")),
    ("office/{institution}/journal", N_("Who looked at records")),
    ("office/{institution}/ai", N_("AI use of the institution")),
    ("office/{institution}/{course}/forecast", N_("Completion forecast")),
    ("office/{institution}/{course}/import", N_("Import of a file")),
    ("office/{institution}/{course}/differences", N_("Differences from the official attendance")),
    ("office/{institution}/{course}/people/{login}", N_("Record of a learner")),
    ("office/{institution}/{course}/certificates", N_("Certificates")),
    ("office/{institution}/{course}/reports", N_("Reports")),
    ("office/{institution}/{course}", N_("Completion decisions")),
    ("learn/{course}/receipts", N_("Receipt of a submission")),
    ("learn/{course}/feedback", N_("Feedback")),
)


def note(visit: Visit, route: str) -> None:
    """Write down that the caller looks at a course's page, unless it shows their own record alone."""
    request, params = visit.request, visit.request.path_params
    if visit.caller is None or route in NOBODYS:
        return
    course = params.get("course") or request.query_params.get("course", "")
    if not course and "institution" not in params:
        return
    if route.startswith("learn/") and visit.caller.is_learner(course):
        return
    who, address = visit.caller.name, request.client.host if request.client else ""
    subject = params.get("login") or params.get("learner") or request.query_params.get("learner", "")
    if not visit.site.lately.is_new((who, address, route, *map(str, params.values()), subject), visit.now):
        return
    if not subject:
        with reading(visit.site.engine) as session:
            subject = _owner(session, course, params.get("submission", ""), params.get("certificate", ""))
    visit.site.looks.write(
        who=who, address=address, what=route, course=course or params["institution"], subject=subject, now=visit.now
    )


def called(what: str) -> str:
    """What people call a page, by its route: a message of the catalogue, or the route itself."""
    return next((name for start, name in CALLED if what.startswith(start)), what)


def _owner(session: Session, course: str, submission: str, certificate: str) -> str:
    """Whose submission or certificate it is; nobody's where there is none."""
    try:
        if certificate:
            return certificates.by_id(session, course, certificate).login
        return work.find_submission(session, course, submission).learner if submission else ""
    except (UnknownWork, BadCertificate):
        return ""
