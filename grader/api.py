"""The records service's REST API: releases, submissions with receipts, grades and feedback.

Who asks is the owner of the Hub token, never what the request says. Files go by content hash, and can only be fetched
through a release or a submission that the caller may see.
"""

# No postponed annotations here: FastAPI reads the routes' own, which name things of the enclosing function.
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, File, Form, Header, HTTPException, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import Engine
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from grader.deadlines import Lateness, NotTaken
from grader.feedback import Feedback
from grader.handed_out import spec_of
from grader.office_api import REFUSALS, add_office_routes
from grader.own.marks import must_hide_nothing
from grader.own.terms import BadTerms, OwnTerms
from grader.records import anchors, deadlines, journal, queue, self_checks, work
from grader.records.anchors import Anchor, BadAnchor
from grader.records.attend import Refused
from grader.records.blobs import BadUpload, BlobStore, Manifest, checked_path, manifest_of
from grader.records.db import reading, writing
from grader.records.decisions import NotYet
from grader.records.enrolments import BadEnrolment
from grader.records.exemptions import NoReason, UnknownFlag
from grader.records.frozen import IsFrozen
from grader.records.state import UnknownCourse, find_course
from grader.records.work import GradeReport, Receipt, UnknownWork
from grader.roles import Caller, Forbidden, HubIdentity
from labs.texts import Text, UserError

STATUS: dict[type[UserError], int] = {
    Forbidden: 403,
    UnknownWork: 404,
    UnknownCourse: 404,
    BadUpload: 422,
    BadTerms: 422,
    BadAnchor: 409,
    NotTaken: 409,
    IsFrozen: 409,
    NotYet: 409,
    BadEnrolment: 422,
    NoReason: 422,
    UnknownFlag: 422,
}


def _utc_now() -> datetime:
    return datetime.now(UTC)


class ToldCheck(BaseModel):
    """What a learner's own process says of a self-check."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    criterion: str = Field(max_length=60)
    passed: bool


@dataclass(frozen=True)
class Records:
    """What the API and the pages stand on: the database, the files, and who is who."""

    engine: Engine
    blobs: BlobStore
    identity: HubIdentity
    now: Callable[[], datetime] = field(default=_utc_now)


def add_errors_and_limits(app: FastAPI, *, max_upload_bytes: int, refusal_text: Callable[[str], Text]) -> None:
    """Give an application the API's error answers and the limit of an upload's size; `refusal_text` words a `Refused`."""
    app.add_middleware(LimitBody, max_bytes=max_upload_bytes)
    app.add_exception_handler(UserError, _answer_error)

    async def answer_refusal(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Refused)  # noqa: S101 (registered for this type only)
        text = refusal_text(error.reason)
        return JSONResponse({"detail": text.en, "ko": text.ko, "en": text.en, "reason": error.reason}, 422)

    app.add_exception_handler(Refused, answer_refusal)
    app.add_exception_handler(RequestValidationError, _answer_invalid)


async def _answer_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, UserError)  # noqa: S101 (registered for this type only)
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 400)
    return JSONResponse({"detail": error.text.en, "ko": error.text.ko, "en": error.text.en}, status)


async def _answer_invalid(_request: Request, error: Exception) -> JSONResponse:
    """The first field that is wrong, and what would be right."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 (registered for this type only)
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return JSONResponse(
        {"detail": f"{where}: {first['msg']}", "ko": f"{where}: 값을 고치세요.", "en": first["msg"]}, 422
    )


def make_router(records: Records) -> APIRouter:
    """Build the routes over the records."""
    router = APIRouter(responses=REFUSALS)

    def caller(authorization: Annotated[str, Header()] = "") -> Caller:
        scheme, _, token = authorization.partition(" ")
        found = records.identity.caller(token) if scheme.lower() in ("bearer", "token") else None
        if found is None:
            raise HTTPException(401, "a Hub token is needed: Authorization: Bearer <token>")
        return found

    Who = Annotated[Caller, Depends(caller)]

    @router.get("/courses/{course}/labs")
    def list_labs(course: str, who: Who) -> list[dict[str, Any]]:
        who.must_belong(course)
        with reading(records.engine) as session:
            run = find_course(session, course)
            known = deadlines.deadlines_of(session, course)
            found = [(row.lab_id, work.released(session, course, row.lab_id)) for row in run.labs]
            return [
                {"lab": lab, "released_at": e.at.isoformat(), **e.payload, **_due(known.of(lab, who.name))}
                for lab, e in found
                if e is not None
            ]

    @router.put("/courses/{course}/labs/{lab}/release")
    def release(
        course: str, lab: str, who: Who, files: Annotated[list[UploadFile], File()], own: Annotated[str, Form()] = ""
    ) -> dict[str, Any]:
        who.must_be_instructor(course)
        told = _own(own)
        for upload in files:
            must_hide_nothing(upload.filename or "", upload.file)
        manifest = _store(records.blobs, files)
        with writing(records.engine) as session:
            run = find_course(session, course)
            due, terms = deadlines.default_of(run, lab, records.now())
            return work.release(
                session, run, lab, manifest, actor=who.name, due_at=due, terms=terms, own=told, now=records.now()
            ).payload

    @router.get("/courses/{course}/labs/{lab}/release/{sha256}")
    def release_file(course: str, lab: str, sha256: str, who: Who) -> FileResponse:
        who.must_belong(course)
        with reading(records.engine) as session:
            event = work.released(session, course, lab)
        manifest = Manifest.model_validate(event.payload["manifest"]) if event else Manifest(files=())
        return _file(records.blobs, manifest, sha256)

    @router.post("/courses/{course}/labs/{lab}/submissions", status_code=201)
    def submit(
        course: str, lab: str, who: Who, files: Annotated[tuple[UploadFile, ...], File()] = ()
    ) -> dict[str, Any]:
        who.must_be_learner(course)
        if not files:
            raise BadUpload(
                "제출할 파일이 없습니다. 실습을 저장한 뒤 다시 제출하세요.",
                "there is no file to hand in: save the lab first",
            )
        manifest = _store(records.blobs, files)
        with writing(records.engine) as session:
            run, now = find_course(session, course), records.now()
            deadlines.must_accept(session, run, lab, who.name, now)
            return work.submit(session, run, lab, manifest, learner=who.name, now=now).as_json()

    @router.post("/courses/{course}/labs/{lab}/self-checks", status_code=204)
    def tell_self_check(course: str, lab: str, told: ToldCheck, who: Who) -> None:
        who.must_be_learner(course)
        with reading(records.engine) as session:
            release = work.released(session, course, lab)
        spec = spec_of(records.blobs, release)
        if spec is None or all(told.criterion != row.id for row in spec.criteria if row.check):
            raise UnknownWork("그런 자가 점검 항목이 없습니다.", f"no self-check {told.criterion!r} in {lab[:60]!r}")
        with writing(records.engine) as session:
            self_checks.note(session, course, who.name, lab, told.criterion, passed=told.passed, now=records.now())

    @router.get("/courses/{course}/labs/{lab}/submissions")
    def list_submissions(course: str, lab: str, who: Who) -> list[dict[str, Any]]:
        who.must_belong(course)
        learner = None if who.is_instructor(course) else who.name
        with reading(records.engine) as session:
            feedback = _feedback_by_submission(session, course)
            receipts = work.submissions(session, course, lab=lab, learner=learner)
            graded = {event.payload["submission"] for event in journal.events(session, course, kind=work.GRADED)}
            known = deadlines.deadlines_of(session, course)
            return [
                {
                    **receipt.as_json(),
                    **_late(known.lateness(receipt)),
                    "graded": receipt.id in graded,
                    "feedback": feedback.get(receipt.id),
                }
                for receipt in receipts
            ]

    @router.get("/courses/{course}/submissions/{submission}/files/{sha256}")
    def submission_file(course: str, submission: str, sha256: str, who: Who) -> FileResponse:
        return _file(records.blobs, _visible(course, submission, who).manifest, sha256)

    @router.post("/courses/{course}/grades", status_code=201)
    def record_grade(course: str, report: GradeReport, who: Who) -> dict[str, str]:
        who.must_be_instructor(course)
        with writing(records.engine) as session:
            return {"event": work.record_grade(session, course, report, actor=who.name, now=records.now()).id}

    @router.post("/courses/{course}/labs/{lab}/grading/claim")
    def claim_grading(course: str, lab: str, asked: queue.Claim, who: Who) -> list[queue.Taken]:
        who.must_be_instructor(course)
        with writing(records.engine) as session:
            find_course(session, course)
            return queue.claim(session, course, lab, asked, records.now())

    @router.post("/courses/{course}/grading/results")
    def settle_grading(course: str, results: list[queue.TaskResult], who: Who) -> dict[str, queue.Verdict]:
        who.must_be_instructor(course)
        with writing(records.engine) as session:
            return queue.settle(session, course, results, actor=who.name, now=records.now())

    @router.post("/courses/{course}/labs/{lab}/grading/let-go")
    def let_go_grading(course: str, lab: str, asked: queue.Claim, who: Who) -> dict[str, int]:
        who.must_be_instructor(course)
        with writing(records.engine) as session:
            return {"let_go": queue.let_go(session, course, lab, asked.holder)}

    @router.post("/courses/{course}/submissions/{submission}/feedback", status_code=201)
    def release_feedback(
        course: str,
        submission: str,
        who: Who,
        page: Annotated[UploadFile, File()],
        results: Annotated[UploadFile, File()],
    ) -> dict[str, str]:
        who.must_be_instructor(course)
        try:
            Feedback.model_validate_json(results.file.read())
        except ValidationError as error:
            first = error.errors()[0]
            said = f"results: {'.'.join(map(str, first['loc']))} {first['msg']}"
            raise BadUpload(f"피드백을 읽을 수 없습니다. {said}", f"the feedback cannot be read: {said}") from None
        results.file.seek(0)
        stored = [records.blobs.put(upload.file, name) for upload, name in ((page, "page"), (results, "results"))]
        with writing(records.engine) as session:
            event = work.release_feedback(
                session,
                course,
                submission,
                html_sha256=stored[0].sha256,
                results_sha256=stored[1].sha256,
                actor=who.name,
                now=records.now(),
            )
            return {"event": event.id}

    @router.get("/courses/{course}/submissions/{submission}/feedback/{part}")
    def feedback(course: str, submission: str, part: str, who: Who) -> FileResponse:
        _visible(course, submission, who)
        with reading(records.engine) as session:
            known = _feedback_by_submission(session, course).get(submission)
        if known is None or part not in ("html", "results"):
            raise UnknownWork("아직 공개된 피드백이 없습니다.", "no feedback is released for this submission")
        # Never as a page of ours: what a learner wrote is in it.
        return FileResponse(records.blobs.path(known[part]), media_type="application/octet-stream")

    @router.post("/ai/anchors", status_code=201)
    def anchor(head: Anchor, who: Who) -> dict[str, str]:
        who.must_be_gateway()
        with writing(records.engine) as session:
            return {"event": anchors.add(session, head, who.name).id}

    add_office_routes(router, records, caller)

    def _visible(course: str, submission: str, who: Caller) -> Receipt:
        """A submission that the caller may see: their own, or any for an instructor; else as if it were not there."""
        with reading(records.engine) as session:
            receipt = work.find_submission(session, course, submission)
        if not (who.is_instructor(course) or (who.is_learner(course) and receipt.learner == who.name)):
            raise UnknownWork("그런 제출물이 없습니다.", f"no submission {submission[:40]!r} in {course}")
        return receipt

    return router


def _own(sent: str) -> OwnTerms | None:
    """What an instructor says of an assignment of their own; nothing for a lab that is known."""
    try:
        return OwnTerms.model_validate_json(sent) if sent else None
    except ValidationError:
        raise BadTerms from None


def _feedback_by_submission(session: Any, course: str) -> dict[str, dict[str, str]]:
    found = journal.events(session, course, kind=work.FEEDBACK)
    return {e.payload["submission"]: {"html": e.payload["html"], "results": e.payload["results"]} for e in found}


def _store(blobs: BlobStore, files: Sequence[UploadFile]) -> Manifest:
    """Check every name before anything is stored."""
    named = [(upload, checked_path(upload.filename or "")) for upload in files]
    return manifest_of([blobs.put(upload.file, path) for upload, path in named])


def _file(blobs: BlobStore, manifest: Manifest, sha256: str) -> FileResponse:
    entry = manifest.entry(sha256)
    if entry is None:
        raise UnknownWork("그런 파일이 없습니다.", "no such file")
    # Always a download: a learner's HTML is never shown as a page of ours.
    return FileResponse(blobs.path(sha256), media_type="application/octet-stream", filename=Path(entry.path).name)


def _due(deadline: deadlines.Deadline) -> dict[str, Any]:
    """A lab's deadline as the caller has it: with their own extension."""
    due = deadline.due_at
    return {"due_at": due.isoformat() if due else None, "terms": deadline.terms.model_dump(mode="json")}


def _late(lateness: Lateness) -> dict[str, Any]:
    """What the server says of a submission's time; whoever grades takes it from here."""
    due = lateness.due_at
    return {
        "due_at": due.isoformat() if due else None,
        "days_late": lateness.days_late,
        "late_percent": lateness.percent,
    }


class LimitBody:
    """Ends a request whose body is larger than allowed, before it is stored."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app, self.max_bytes = app, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > self.max_bytes:
            await self._refuse(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.max_bytes:
                raise _TooLarge
            return message

        async def unless_too_large(message: Message) -> None:
            # A form parser may turn our exception into an answer of its own.
            if seen <= self.max_bytes:
                await send(message)

        with contextlib.suppress(_TooLarge):
            await self.app(scope, counted, unless_too_large)
        if seen > self.max_bytes:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        megabytes = self.max_bytes // 1_000_000
        ko = f"제출물이 너무 큽니다. 모두 합해 {megabytes}MB 이하로 줄이세요."
        en = f"The upload is too large: keep all files together within {megabytes} MB."
        await JSONResponse({"detail": en, "ko": ko, "en": en}, 413, {"connection": "close"})(scope, receive, send)


class _TooLarge(Exception):
    pass
