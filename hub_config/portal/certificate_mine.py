"""A learner's own certificate: downloads, and what its public page shows. The rule: nobody but the holder decides that."""

from __future__ import annotations

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from grader.certificates.facts import masked
from grader.records import certificates
from grader.records.certificates import BadCertificate, Certificate, Sharing
from grader.records.db import writing
from grader.records.state import find_course
from hub_config.portal.certificates import STANDING, Part, as_file, facts_of
from hub_config.portal.i18n import N_
from hub_config.portal.pages import PageRoute
from hub_config.portal.site import PageError, Posted, SignedIn, Visit, as_learner

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/learn/{course}/certificate")
def mine(visit: SignedIn, course: str, done: str = "") -> HTMLResponse:
    """The learner's newest certificate of a course run."""
    as_learner(visit, course)
    with visit.records() as session:
        visit.run = find_course(session, course)
        held = certificates.of_course(session, course, visit.who.name)
        if not held:
            raise PageError(404, N_("You have no certificate of this course yet."))
        facts = facts_of(visit, held[-1])
        if facts is None:
            raise PageError(404, N_("This file is no longer kept."))
        return visit.page(
            "certificate.html", certificate=held[-1], facts=facts, hidden=masked(facts.name), standing_text=STANDING,
            said=visit.t(N_("Your choice is saved.")) if done else "",
        )  # fmt: skip


@router.post("/learn/{course}/certificate/{certificate}")
def share(
    visit: Posted, course: str, certificate: str,
    full_name: bool = Form(False), labs: bool = Form(False), evidence: bool = Form(False),
) -> Response:  # fmt: skip
    """Save what the public page shows."""
    as_learner(visit, course)
    with writing(visit.site.engine) as session:
        found = _own(visit, session, course, certificate)
        chosen = Sharing(full_name=full_name, labs=labs, evidence=evidence)
        certificates.share(session, found, chosen, now=visit.now)
    return visit.go("learn", course, "certificate", query="?done=1")


@router.get("/learn/{course}/certificate/{certificate}/{part}")
def download(visit: SignedIn, course: str, certificate: str, part: Part) -> Response:
    """A paper or the badge of the learner's own."""
    as_learner(visit, course)
    with visit.records() as session:
        return as_file(visit, _own(visit, session, course, certificate), part)


def _own(visit: Visit, session: Session, course: str, certificate: str) -> Certificate:
    try:
        return certificates.by_id(session, course, certificate, visit.who.name)
    except BadCertificate:
        raise PageError(404, N_("There is no such certificate.")) from None
