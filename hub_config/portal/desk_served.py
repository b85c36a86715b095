"""A submission's files, for an instructor of its course. The rule: a browser gets media of a fixed list or a download, and
whatever it makes of a file runs in no page of ours."""

from __future__ import annotations

import base64
import binascii

from fastapi import APIRouter
from fastapi.responses import FileResponse, PlainTextResponse, Response

from hub_config.portal.desk_criteria import machine_results
from hub_config.portal.desk_files import download_name, piece
from hub_config.portal.desk_media import DOWNLOAD, HEADERS, webvtt
from hub_config.portal.desk_work import open_desk
from hub_config.portal.i18n import N_
from hub_config.portal.pages import PageRoute
from hub_config.portal.site import PageError, SignedIn, as_instructor

router = APIRouter(route_class=PageRoute, include_in_schema=False)
PNG = b"\x89PNG\r\n\x1a\n"
NO_FILE = N_("There is no such file in this submission.")


@router.get("/class/{course}/labs/{lab}/desk/{submission}/files/{number}")
def file(visit: SignedIn, course: str, lab: str, submission: str, number: int, download: bool = False) -> FileResponse:
    """A clip or a picture to look at, any other file to keep."""
    as_instructor(visit, course)
    with visit.records() as session:
        desk = open_desk(visit, session, course, lab)
        receipt = desk.receipt(submission)
        found = piece(desk, receipt, number)
        if found is None or found.entry is None:
            raise PageError(404, NO_FILE)
        path = visit.site.blobs.path(found.entry.sha256)
        if found.media and not download:
            return FileResponse(path, media_type=found.media, headers=HEADERS)
        return FileResponse(
            path, media_type=DOWNLOAD, headers=HEADERS, filename=download_name(desk, receipt, found)
        )  # fmt: skip


@router.get("/class/{course}/labs/{lab}/desk/{submission}/captions/{number}")
def captions(visit: SignedIn, course: str, lab: str, submission: str, number: int) -> PlainTextResponse:
    """A captions file as a clip's track."""
    as_instructor(visit, course)
    with visit.records() as session:
        desk = open_desk(visit, session, course, lab)
        found = piece(desk, desk.receipt(submission), number)
        if found is None or found.kind != "captions" or found.text is None:
            raise PageError(404, NO_FILE)
        return PlainTextResponse(webvtt(desk.veil(found.text.text)), media_type="text/vtt", headers=HEADERS)


@router.get("/class/{course}/labs/{lab}/desk/{submission}/pictures/{criterion}/{index}")
def picture(visit: SignedIn, course: str, lab: str, submission: str, criterion: str, index: int) -> Response:
    """A finding's picture."""
    as_instructor(visit, course)
    with visit.records() as session:
        desk = open_desk(visit, session, course, lab)
        results = {c.id: r for c, r in machine_results(desk, desk.receipt(submission))}
        findings = results[criterion].findings if criterion in results else ()
    encoded = findings[index].picture if 0 <= index < len(findings) else None
    try:
        png = base64.b64decode(encoded or "", validate=True)
    except binascii.Error:
        png = b""
    if not png.startswith(PNG):
        raise PageError(404, N_("There is no such picture."))
    return Response(png, media_type="image/png", headers=HEADERS)
