"""The addresses of receipts, spend and replay. The rule: a learner sees their own, an instructor their course's, the institution all."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time
from typing import Any, cast, get_args

from aiohttp import web
from pydantic import TypeAdapter

from hub_config.ai_gateway import errors
from hub_config.ai_gateway.gateway import GATEWAY, Gateway, identify
from hub_config.ai_gateway.identity import Identity
from hub_config.ai_gateway.ledger import ReceiptQuery
from hub_config.ai_gateway.ledger.terms import Content, Group

MOST = 1000
#: A cell that begins with one of these is a formula to a spreadsheet.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
CONTENTS: dict[str, Content] = {"0": "none", "asked": "asked", "1": "all"}
COLUMNS = (
    "number", "id", "at", "learner", "course", "lab", "endpoint", "model", "upstream", "outcome", "prompt_tokens",
    "completion_tokens", "audio_ms", "characters", "images", "reserved_krw", "cost_krw", "latency_ms", "first_byte_ms",
    "request_sha256", "prompt_sha256", "answer_sha256", "hash",
)  # fmt: skip
_JSON = TypeAdapter(dict[str, Any])


def add_routes(app: web.Application, course_and_lab: str) -> None:
    """Add the addresses."""
    app.router.add_get("/receipts", _receipts, allow_head=False)
    app.router.add_get("/receipts.csv", _csv, allow_head=False)
    app.router.add_get("/receipts/{id:rcpt_[0-9a-f]{24}}", _receipt, allow_head=False)
    app.router.add_get("/spend", _spend, allow_head=False)
    app.router.add_get(course_and_lab + "/replay", _replay, allow_head=False)


async def _receipts(request: web.Request) -> web.Response:
    """Give receipts, newest first, in pages: `has_more` says whether another one follows, however few came with this."""
    query = await _query(request, _limit(request.query), content=_content(request.query))
    page = await request.app[GATEWAY].ledger.receipts(query)
    return _list(page.rows, has_more=page.has_more)


async def _receipt(request: web.Request) -> web.Response:
    """Give one receipt."""
    caller, gateway = await identify(request), request.app[GATEWAY]
    row = await gateway.ledger.receipt(request.match_info["id"])
    if row is None or not (row["learner"] == caller.name or _sees_all(gateway, caller, [row["course"]])):
        raise errors.not_found()  # whether somebody else's exists is not told
    return web.json_response(row)


async def _csv(request: web.Request) -> web.StreamResponse:
    """Give all receipts as a table, page by page."""
    gateway, with_content = request.app[GATEWAY], request.query.get("content") == "1"
    columns = (*COLUMNS, "prompt", "answer") if with_content else COLUMNS
    query = await _query(request, MOST, content="all" if with_content else "none")
    response = web.StreamResponse(
        headers={"Content-Disposition": 'attachment; filename="ai-receipts.csv"', "X-Content-Type-Options": "nosniff"}
    )
    response.content_type, response.charset = "text/csv", "utf-8"
    await response.prepare(request)
    await response.write(b"\xef\xbb\xbf" + _lines([dict(zip(columns, columns, strict=True))], columns))
    while True:
        page = await gateway.ledger.receipts(query)
        await response.write(_lines(page.rows, columns))
        if not page.has_more:
            return response
        query = replace(query, before=page.rows[-1]["id"])


async def _spend(request: web.Request) -> web.Response:
    """Give calls, tokens and won by course, learner, lab, day, model or outcome, or by two of them; a learner gets their own rows.

    With a limit the dearest come, and no more of them.
    """
    caller, gateway = await identify(request), request.app[GATEWAY]
    courses = _courses(request)
    group, by = _group(request.query, "group") or "learner", _group(request.query, "by")
    sees_all = _sees_all(gateway, caller, courses)
    if not sees_all and (group != "learner" or not courses or not all(map(caller.takes_part, courses))):
        raise errors.foreign_receipts()
    since, until = _moment(gateway, request.query, "since"), _moment(gateway, request.query, "until")
    limit = _limit(request.query) if sees_all and "limit" in request.query else None
    rows = await gateway.ledger.spend(group, *courses, since=since, until=until, by=by, limit=limit)
    seen = rows if sees_all else [row for row in rows if row["learner"] == caller.name]
    return _list(seen)


async def _replay(request: web.Request) -> web.Response:
    """Give a learner's answered calls in a lab, for executing a notebook again without asking anybody."""
    gateway, caller = request.app[GATEWAY], await identify(request, services=True)
    course, lab, learner = request.match_info["course"], request.match_info["lab"], request.query.get("learner")
    if not learner:
        raise errors.invalid("learner가 필요합니다.", "learner is missing.", param="learner")
    if not (caller.is_grader or _sees_all(gateway, caller, [course])):
        raise errors.foreign_receipts()
    rows = await gateway.ledger.answered(course, lab, learner)
    text = "".join(json.dumps(_recorded(row), ensure_ascii=False) + "\n" for row in rows)
    return web.Response(text=text, content_type="application/jsonl")


def _list(rows: list[dict[str, Any]], **more: bool) -> web.Response:
    """Write rows in a third of the time of the standard library: all calls wait meanwhile."""
    body = _JSON.dump_json({"object": "list", "data": rows, **more})
    return web.Response(body=body, content_type="application/json", charset="utf-8")


def _recorded(row: Mapping[str, Any]) -> dict[str, Any]:
    kind, _, encoding = row["answer_type"].partition(";")
    name = "answer_base64" if encoding == "base64" else "answer"
    return {
        "receipt": row["id"], "at": row["at"], "endpoint": row["endpoint"], "request_sha256": row["request_sha256"],
        "content_type": kind, name: row["answer"],
    }  # fmt: skip


async def _query(request: web.Request, limit: int, *, content: Content) -> ReceiptQuery:
    """Read what is asked for, within what the caller may see."""
    gateway, caller, asked = request.app[GATEWAY], await identify(request), request.query
    courses, learner = _courses(request), asked.get("learner")
    if not _sees_all(gateway, caller, courses):
        if learner not in (None, caller.name):
            raise errors.foreign_receipts()
        learner = caller.name
    return ReceiptQuery(
        courses=courses, lab=asked.get("lab"), learner=learner, since=_moment(gateway, asked, "since"),
        until=_moment(gateway, asked, "until"), before=asked.get("before"), limit=limit, content=content,
    )  # fmt: skip


def _courses(request: web.Request) -> tuple[str, ...]:
    """Read which courses are asked about; none stands for all."""
    return tuple(request.query.getall("course", ()))


def _sees_all(gateway: Gateway, caller: Identity, courses: Sequence[str]) -> bool:
    teaches = bool(courses) and all(map(caller.teaches, courses))
    return gateway.config.institution_group in caller.groups or teaches


def _limit(asked: Mapping[str, str]) -> int:
    limit = asked.get("limit", "200")
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= MOST):
        raise errors.invalid(
            f"limit은 1~{MOST} 사이의 수입니다.", f"limit is a number from 1 to {MOST}.", param="limit"
        )
    return int(limit)


def _group(asked: Mapping[str, str], name: str) -> Group | None:
    """Read what sums are told by."""
    told = asked.get(name)
    for known in get_args(Group):
        if known == told:
            return cast("Group", known)
    if told is None:
        return None
    groups = ", ".join(get_args(Group))
    raise errors.invalid(f"{name}은 {groups} 중 하나입니다.", f"{name} is one of {groups}.", param=name)


def _content(asked: Mapping[str, str]) -> Content:
    """Read what of the calls is told with their receipts."""
    told = asked.get("content", "1")
    if told not in CONTENTS:
        names = ", ".join(CONTENTS)
        raise errors.invalid(f"content는 {names} 중 하나입니다.", f"content is one of {names}.", param="content")
    return CONTENTS[told]


def _moment(gateway: Gateway, asked: Mapping[str, str], name: str) -> datetime | None:
    """Read a day of the institution or a moment."""
    text = asked.get(name)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise errors.invalid(
            f"{name}은 2026-11-23 또는 2026-11-23T09:00+09:00 형식입니다.",
            f"{name} is a day such as 2026-11-23, or a moment such as 2026-11-23T09:00+09:00.",
            param=name,
        ) from None
    if len(text) == 10 and name == "until":
        moment = datetime.combine(moment, time.max)
    return (moment if moment.tzinfo else moment.replace(tzinfo=gateway.config.zone)).astimezone(UTC)


def _lines(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> bytes:
    stream = io.StringIO()
    writer = csv.writer(stream)
    for row in rows:
        writer.writerow([_cell(row[name]) for name in columns])
    return stream.getvalue().encode("utf-8", "replace")


def _cell(value: Any) -> Any:
    """Give a value as a cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
