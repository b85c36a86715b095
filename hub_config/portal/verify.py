"""The public pages: whether a certificate holds, and what an institution signs with. The rule: no login, no session, no names
but those that a holder shows; whatever is asked for, an unknown address is answered as any other.
"""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from grader.certificates.facts import masked
from grader.certificates.keys import Issuer
from grader.certificates.status import Purpose, status_list
from grader.records import certificates
from grader.records.certificates import Certificate
from grader.records.models import CourseRun, Institution
from hub_config.portal.certificates import STANDING, facts_of
from hub_config.portal.i18n import N_
from hub_config.portal.pages import PageRoute
from hub_config.portal.site import PageError, Site, Visit

router = APIRouter(route_class=PageRoute, include_in_schema=False)
NOT_INDEXED = {"x-robots-tag": "noindex, nofollow"}


def passer_by(request: Request) -> Visit:
    """Somebody of whom nothing is known, and who does not ask too often; the Hub is not asked, so it may be away."""
    site: Site = request.app.state.portal
    visit = Visit(request, site)
    request.state.visit = visit
    address = request.client.host if request.client else ""
    if not site.public_limiter.allows(address):
        raise PageError(429, N_("This page was opened too often from your address."))
    return visit


PasserBy = Annotated[Visit, Depends(passer_by)]


@router.get("/verify/{token}")
def verify(visit: PasserBy, token: str) -> Response:
    """Whether a certificate holds, with what its holder shows."""
    with visit.records() as session:
        found = certificates.by_token(session, token)
        if found is not None:
            visit.run = session.get(CourseRun, found.event.course_id)
        page = _shown(visit, found)
    page.headers.update(NOT_INDEXED)
    return page


def _shown(visit: Visit, found: Certificate | None) -> HTMLResponse:
    if found is None:
        return visit.page("verify.html", 404, certificate=None, standing_text=STANDING)
    facts, name = facts_of(visit, found), ""
    if facts is not None:
        name = facts.name_in(visit.words.lang) if found.sharing.full_name else masked(facts.name)
    return visit.page(
        "verify.html", certificate=found, facts=facts, name=name, standing_text=STANDING,
        revoked_on=found.revoked.at.astimezone(visit.zone).date() if found.revoked else None,
    )  # fmt: skip


@router.get("/issuers/{institution}")
def institution_page(visit: PasserBy, institution: str) -> HTMLResponse:
    """An institution that signs, and its public key."""
    signs, _ = _signing(visit, institution)
    document = json.dumps(signs.document, indent=2)
    page = visit.page("issuer.html", institution=visit.institution, issuer=signs, document=document)
    page.headers.update(NOT_INDEXED)
    return page


@router.get("/issuers/{institution}/did.json")
def did_document(visit: PasserBy, institution: str) -> JSONResponse:
    """The institution's DID document (did:web)."""
    signs, _ = _signing(visit, institution)
    return JSONResponse(signs.document, media_type="application/did+json")


@router.get("/issuers/{institution}/status/{purpose}/{number}")
def listed(visit: PasserBy, institution: str, purpose: Purpose, number: int) -> PlainTextResponse:
    """A status list, signed now."""
    signs, issued = _signing(visit, institution)
    if all(certificate.place.number != number for certificate in issued):
        raise PageError(404, N_("There is no such status list."))
    places = certificates.without(issued, purpose)
    return PlainTextResponse(status_list(signs, purpose, number, places, visit.now), media_type="application/vc+jwt")


def _signing(visit: Visit, institution: str) -> tuple[Issuer, list[Certificate]]:
    """An institution that has issued something, with what it issued: nobody else has a key."""
    with visit.records() as session:
        visit.institution = session.get(Institution, institution)
        issued = certificates.of_institution(session, institution)
    if visit.institution is None or not issued:
        raise PageError(404, N_("There is no such institution."))
    return visit.site.press.issuer(institution), issued
