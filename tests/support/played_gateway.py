"""The AI gateway as the portal asks it: receipts, spending, limits and its own state, made up."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import httpx
from test_portal_world import COURSE, NOW


def receipt(number: int, learner: str = "mina", **changed: Any) -> dict[str, Any]:
    """A receipt as the gateway tells it; the higher its number, the newer."""
    at = NOW + timedelta(minutes=number)
    messages = [{"role": "user", "content": "무음 구간을 찾아 주세요."}]
    return {
        "id": f"rcpt_{number:024x}", "number": number, "at": at.isoformat(), "learner": learner, "course": COURSE,
        "lab": "rough-cut", "endpoint": "chat", "model": "lab-default", "upstream": "built-in", "outcome": "ok",
        "prompt_tokens": 1200, "completion_tokens": 345, "audio_ms": None, "characters": None, "images": None,
        "reserved_krw": 40, "cost_krw": 12, "latency_ms": 1500, "first_byte_ms": 200, "request_sha256": "1" * 64,
        "prompt_sha256": "2" * 64, "answer_sha256": "3" * 64, "hash": "4" * 64,
        "prompt": json.dumps({"model": "lab-default", "messages": messages}, ensure_ascii=False),
        "answer": json.dumps({"choices": [{"message": {"role": "assistant", "content": "00:12에 있습니다."}}]}),
        "answer_type": "application/json", **changed,
    }  # fmt: skip


def spend(group: str, name: str, calls: int = 3, cost_krw: int = 36) -> dict[str, Any]:
    """A line of spending as the gateway tells it."""
    return {
        group: name, "calls": calls, "refused": 1, "prompt_tokens": 3600, "completion_tokens": 1035,
        "cost_krw": cost_krw, "last_at": NOW.isoformat(),
    }  # fmt: skip


def account(whose: str, period: str, limit: int, spent: int, unit: str = "krw") -> dict[str, Any]:
    """A line of a budget as the gateway tells it."""
    renews = "2026-07-09T00:00:00+09:00" if period == "day" else None
    return {
        "account": whose, "unit": unit, "period": period, "limit": limit, "spent": spent, "reserved": 0,
        "left": limit - spent, "renews_at": renews,
    }  # fmt: skip


def held(whose: str, lab: str = "", used_up: int = 0, **limit: int) -> dict[str, Any]:
    """A limit in force as the gateway tells it."""
    none = {"krw": None, "tokens": None, "krw_per_day": None, "tokens_per_day": None}
    spent = {"krw": 1234, "tokens": 5678, "krw_per_day": 12, "tokens_per_day": 34}
    return {"account": whose, "lab": lab, "limit": {**none, **limit}, "most_spent": spent, "used_up": used_up}


class PlayedGateway:
    """Answers as the gateway's API does, without judging who asks; no learner server is there."""

    def __init__(self, calls: int = 3, left: int = 1200) -> None:
        self.receipts = [receipt(number) for number in range(calls, 0, -1)]
        self.spends = {
            "learner": [spend("learner", "mina", calls)], "lab": [spend("lab", "rough-cut", calls)],
            "course": [spend("course", COURSE, calls)], "day": [spend("day", "2026-07-08", calls)],
            "outcome": [{**spend("outcome", "ok", calls), "refused": 0}, spend("outcome", "budget_exceeded", 0)],
        }  # fmt: skip
        self.budget: dict[str, Any] = {
            "course": COURSE, "lab": "-", "ai": True, "models": ["lab-default"], "endpoints": ["chat"],
            "limit_krw": 3000, "spent_krw": 3000 - left, "reserved_krw": 0, "left_krw": left, "left_tokens": None,
            "renews_at": None, "accounts": [account("learner", "all", 3000, 3000 - left)],
        }  # fmt: skip
        self.switch: dict[str, Any] = {"ai": True, "set_by": None, "set_at": None}
        self.status: dict[str, Any] = {
            "version": "1.0", "started_at": NOW.isoformat(),
            "upstreams": [
                {"name": "built-in", "state": "closed", "running": 1, "waiting": 4, "failures": 0, "last_error": None,
                 "last_ok_at": NOW.isoformat()},
            ],
            "ledger": {"receipts": 1234, "unwritten": 2, "head": 1232, "anchored": 1200},
        }  # fmt: skip
        self.limits = [
            held("institution"),
            held("course"),
            held("learner", krw=3000),
            held("lab", "rough-cut", krw=1000),
        ]
        self.csv = "\ufeffid,learner\r\nrcpt_1,mina\r\n"

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path, asked = request.url.path, request.url.params
        if path.endswith("/budget"):
            return httpx.Response(200, json=self.budget)
        if path.endswith("/switch"):
            if request.method == "PUT":
                self.switch = {**json.loads(request.content), "set_by": "teacher", "set_at": NOW.isoformat()}
            return httpx.Response(200, json=self.switch)
        if path.startswith("/receipts/"):
            found = [row for row in self.receipts if path.endswith(row["id"])]
            return httpx.Response(200, json=found[0]) if found else httpx.Response(404)
        if path == "/receipts":
            return httpx.Response(200, json=self._page(asked))
        if path == "/spend":
            courses = asked.get_list("course")
            lines = [
                row for row in self.spends[asked["group"]] if not courses or row.get("course", courses[0]) in courses
            ]
            return httpx.Response(200, json={"data": lines})
        if path == "/limits":
            return httpx.Response(200, json={"data": self.limits})
        if path == "/status":
            return httpx.Response(200, json=self.status)
        if path == "/receipts.csv":
            # A broken or bad gateway may call it a page of HTML.
            return httpx.Response(200, text=self.csv, headers={"content-type": "text/html", "x-key": "canary"})
        return httpx.Response(424)

    def _page(self, asked: httpx.QueryParams) -> dict[str, Any]:
        rows = [row for row in self.receipts if "before" not in asked or row["id"] < asked["before"]]
        if asked["content"] == "0":
            rows = [{**row, "prompt": None, "answer": None} for row in rows]
        limit = int(asked["limit"])
        return {"object": "list", "data": rows[:limit], "has_more": len(rows) > limit}


gateway = PlayedGateway
