"""Certificates in the office: issuing, downloading, revoking. The rule: only from frozen completions, and with a name and a reason."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Form
from fastapi.responses import FileResponse, HTMLResponse, Response
from sqlalchemy.orm import Session

from grader.certificates.facts import CertificateFacts
from grader.records import certificates, issuing
from grader.records.certificates import BadCertificate, Certificate
from grader.records.db import writing
from grader.records.frozen import frozen_in
from grader.records.models import CourseRun
from hub_config.portal.i18n import N_
from hub_config.portal.office import run_of
from hub_config.portal.pages import PageRoute
from hub_config.portal.site import PageError, Posted, SignedIn, Visit, as_office
from labs.texts import UserError

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Part = Literal["pdf_ko", "pdf_en", "badge"]
#: How a part is named after the certificate's number, and its media type.
FILES: dict[str, tuple[str, str]] = {
    "pdf_ko": ("-ko.pdf", "application/pdf"),
    "pdf_en": ("-en.pdf", "application/pdf"),
    "badge": (".jwt", "application/vc+jwt"),
}
STANDING = {"valid": N_("Valid"), "suspended": N_("Suspended"), "revoked": N_("Revoked")}
DONE = {"issued": N_("The certificates are issued."), "revoked": N_("The certificate is revoked.")}


@router.get("/office/{institution}/{course}/certificates")
def overview(visit: SignedIn, institution: str, course: str, done: str = "") -> HTMLResponse:
    """The certificates of a course run, and who could have one."""
    as_office(visit, institution)
    return _page(visit, institution, course, said=visit.t(DONE[done]) if done in DONE else "")


@router.post("/office/{institution}/{course}/certificates")
def issue(visit: Posted, institution: str, course: str, learner: str = Form(""), name_en: str = Form("")) -> Response:
    """Issue for one learner, or for everybody who may have one; what cannot be issued is named and holds up nobody."""
    as_office(visit, institution)
    with visit.records() as session:
        run = run_of(session, institution, course)
        chosen = [learner] if learner else issuing.to_issue(session, run)
    problems = [problem for login in chosen if (problem := _issue(visit, course, login, name_en if learner else ""))]
    if problems:
        return _page(visit, institution, course, problems=problems)
    return visit.go("office", institution, course, "certificates", query="?done=issued")


def _issue(visit: Visit, course: str, login: str, name_en: str) -> str:
    """Issue one certificate in a transaction of its own; gives what is wrong, if anything."""
    try:
        with writing(visit.site.engine) as session:
            run = session.get_one(CourseRun, course)
            issuing.issue(
                session, run, login, press=visit.site.press, actor=visit.who.name, now=visit.now, name_en=name_en
            )
    except UserError as refused:
        return f"{login}: {refused.text.in_(visit.words.lang)}"
    return ""


@router.post("/office/{institution}/{course}/certificates/{certificate}/revoke")
def revoke(visit: Posted, institution: str, course: str, certificate: str, reason: str = Form("")) -> Response:
    """Revoke a certificate for good, with a reason."""
    as_office(visit, institution)
    try:
        with writing(visit.site.engine) as session:
            run_of(session, institution, course)
            found = _find(session, course, certificate)
            certificates.revoke(session, found, reason=reason, actor=visit.who.name, now=visit.now)
    except BadCertificate as refused:
        return _page(visit, institution, course, problems=[refused.text.in_(visit.words.lang)], at=certificate)
    return visit.go("office", institution, course, "certificates", query="?done=revoked")


@router.get("/office/{institution}/{course}/certificates/{certificate}/{part}")
def download(visit: SignedIn, institution: str, course: str, certificate: str, part: Part) -> Response:
    """A paper or the badge, as it was issued."""
    as_office(visit, institution)
    with visit.records() as session:
        run_of(session, institution, course)
        return as_file(visit, _find(session, course, certificate), part)


def facts_of(visit: Visit, certificate: Certificate) -> CertificateFacts | None:
    """What a certificate states; None where its time of keeping is over."""
    try:
        return visit.site.press.facts(certificate.sha256("facts"))
    except FileNotFoundError:
        return None


def as_file(visit: Visit, certificate: Certificate, part: Part) -> FileResponse:
    """A part of a certificate as a download."""
    ending, media_type = FILES[part]
    try:
        path = visit.site.blobs.path(certificate.sha256(part))
    except FileNotFoundError:
        raise PageError(404, N_("This file is no longer kept.")) from None
    return FileResponse(path, media_type=media_type, filename=certificate.number + ending)


def _find(session: Session, course: str, certificate: str) -> Certificate:
    try:
        return certificates.by_id(session, course, certificate)
    except BadCertificate:
        raise PageError(404, N_("There is no such certificate.")) from None


def _page(
    visit: Visit, institution: str, course: str, *, said: str = "", problems: list[str] | None = None, at: str = ""
) -> HTMLResponse:
    with visit.records() as session:
        visit.run = run_of(session, institution, course)
        waiting = issuing.to_issue(session, visit.run)
        names = {enrolment.login: enrolment.person.name for enrolment in visit.run.enrolments}
        return visit.page(
            "certificates.html", 422 if problems else 200, institution=institution, said=said, problems=problems or [],
            at=at, names=names, waiting=waiting, issued=certificates.of_course(session, course)[::-1],
            frozen=len(frozen_in(session, course)), standing_text=STANDING,
        )  # fmt: skip
