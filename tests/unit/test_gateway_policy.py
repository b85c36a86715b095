"""What courses and labs allow: models, endpoints, AI off, budgets by day, in tokens, of the course and of the institution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gateway_support import MODEL, PRICES, config_for, world

from hub_config.ai_gateway.config import Limit
from hub_config.ai_gateway.policy import rules

ROUTES = {
    alias: [{"upstream": "built-in", "model": "m", "endpoints": ["chat", "embeddings"], "prices": PRICES}]
    for alias in (MODEL, "large")
}


async def test_a_lab_gets_the_models_that_its_policy_names(tmp_path: Path) -> None:
    async with world(tmp_path, models=ROUTES, labs={"rough-cut": {"models": [MODEL]}}) as w:
        body = {"model": "large", "messages": [{"role": "user", "content": "hi"}]}
        refused = await w.chat(body)
        assert (refused.status, refused.error["code"], refused.error["param"]) == (403, "model_not_allowed", "model")
        assert MODEL in refused.error["text"]["en"]
        assert (await w.chat(body, where="/video/-")).status == 200
        listed = (await w.ask("GET", "/video/rough-cut/v1/models")).json()["data"]
        assert [model["id"] for model in listed] == [MODEL]
        outcomes = [(row["outcome"], row["cost_krw"]) for row in await w.receipts("?lab=rough-cut")]
        assert outcomes == [("model_not_allowed", 0)]


async def test_a_lab_gets_the_endpoints_that_its_policy_names(tmp_path: Path) -> None:
    async with world(tmp_path, models=ROUTES, labs={"rough-cut": {"endpoints": ["chat"]}}) as w:
        refused = await w.ask("POST", "/video/rough-cut/v1/embeddings", json={"model": MODEL, "input": "x"})
        assert (refused.status, refused.error["code"]) == (403, "endpoint_not_allowed")
        assert (await w.chat()).status == 200


async def test_ai_is_off_for_learners_while_a_policy_says_so(tmp_path: Path) -> None:
    async with world(tmp_path, courses={"video": {"ai": False}}) as w:
        refused = await w.chat()
        assert (refused.status, refused.error["code"]) == (403, "ai_off")
        assert (await w.budget())["ai"] is False
        assert (await w.chat(token="teacher-token")).status == 200
        assert (await w.chat(token="bob-token", where="/books/-")).status == 200
        assert len(w.provider.bodies) == 2


async def test_an_instructor_switches_ai_off_for_an_exam(tmp_path: Path) -> None:
    async with world(tmp_path) as w:

        async def switch(ai: Any, token: str = "teacher-token", where: str = "/video/-") -> Any:
            return await w.ask("PUT", where + "/switch", token=token, json=ai)

        assert (await switch({"ai": False})).json()["ai"] is False
        assert [(await w.chat(where=f"/video/{lab}")).status for lab in ("-", "rough-cut")] == [403, 403]
        state = (await w.ask("GET", "/video/rough-cut/switch")).json()
        assert state["ai"] is False
        assert (await w.ask("GET", "/video/-/switch")).json()["set_by"] == "teacher"
        assert (await switch({"ai": True}, token="ann-token")).status == 403
        assert (await switch({"ai": True}, where="/books/-")).status == 403
        for wrong in ({"ai": "yes"}, {}, [], {"ai": True, "x": 1}):
            assert (await switch(wrong)).status == 400
        assert (await switch({"ai": True})).json()["ai"] is True
        assert (await w.chat()).status == 200
        await switch({"ai": False}, where="/video/rough-cut")
        assert [(await w.chat(where=f"/video/{lab}")).status for lab in ("-", "rough-cut")] == [200, 403]


@pytest.mark.parametrize(
    ("settings", "account", "unit", "period"),
    [
        ({"budgets": {"learner": {"krw": 25}}}, "learner", "krw", "all"),
        ({"budgets": {"learner": {"krw_per_day": 25}}}, "learner", "krw", "day"),
        ({"budgets": {"course": {"krw": 25}}}, "course", "krw", "all"),
        ({"budgets": {"institution": {"krw_per_day": 25}}}, "institution", "krw", "day"),
        ({"courses": {"video": {"course": {"krw": 25}}}}, "course", "krw", "all"),
        ({"labs": {"rough-cut": {"learner": {"krw": 25}}}}, "lab", "krw", "all"),
        ({"budgets": {"learner": {"tokens": 175}}}, "learner", "tokens", "all"),
        ({"budgets": {"course": {"tokens_per_day": 175}}}, "course", "tokens", "day"),
    ],
)
async def test_each_limit_ends_calls_and_says_which_it_was(
    tmp_path: Path, settings: dict[str, Any], account: str, unit: str, period: str
) -> None:
    async with world(tmp_path, **{"budgets": {}, **settings}) as w:
        answers = [await w.chat(max_tokens=10) for _ in range(40)]
        refused = next(answer for answer in answers if answer.status != 200)
        assert refused.error["code"] == "budget_exceeded"
        assert (refused.error["unit"], refused.error["renews_at"] is not None) == (unit, period == "day")
        lines = (await w.budget("teacher-token" if account in ("course", "institution") else "ann-token"))["accounts"]
        (line,) = [line for line in lines if (line["account"], line["unit"], line["period"]) == (account, unit, period)]
        assert 0 <= line["left"] < line["limit"]
        header = "x-practicum-budget-left-" + unit
        assert refused.headers[header] == str(line["left"])
        row = (await w.receipts())[0]
        assert (row["outcome"], row["cost_krw"]) == ("budget_exceeded", 0)


async def test_a_learner_sees_the_accounts_that_are_their_own(tmp_path: Path) -> None:
    limit = {"krw": 500}
    async with world(tmp_path, budgets={"learner": limit, "course": limit, "institution": limit}) as w:
        assert [line["account"] for line in (await w.budget())["accounts"]] == ["learner"]
        accounts = [line["account"] for line in (await w.budget("teacher-token"))["accounts"]]
        assert accounts == ["learner", "course", "institution"]
        office = await w.ask("GET", "/video/-/budget", token="office-token")
        assert [line["account"] for line in office.json()["accounts"]] == accounts
        assert (await w.chat(token="office-token")).status == 403


def test_the_wider_policy_bounds_the_narrower(tmp_path: Path) -> None:
    lab = {"models": [MODEL, "large"], "learner": {"krw": 5}, "retention_days": 30}
    course = {
        "models": [MODEL],
        "endpoints": ["chat"],
        "learner": {"krw": 50},
        "keep_content": False,
        "labs": {"exam": {"ai": False}, "rough-cut": {"learner": {"krw": 7}}},
    }
    config = config_for(
        tmp_path, "http://h/v1", "http://h", models=ROUTES, labs={"rough-cut": lab}, courses={"video": course}
    )
    here = rules(config, "video", "rough-cut")
    assert (here.models, here.endpoints, here.ai) == ({MODEL}, {"chat"}, True)
    assert (here.limits.lab, here.limits.learner) == (Limit(krw=7), Limit(krw=50))
    assert (here.keep_content, here.retention_days) == (False, 30)
    elsewhere = rules(config, "books", "rough-cut")
    assert (elsewhere.models, elsewhere.endpoints) == ({MODEL, "large"}, None)
    assert elsewhere.limits.lab == Limit(krw=5)
    assert not rules(config, "video", "exam").ai
    assert rules(config, "video", "-").limits.lab == Limit()


async def test_an_invented_lab_allows_no_more_than_the_known_ones(tmp_path: Path) -> None:
    settings = {"models": ROUTES, "labs": {"rough-cut": {"models": [MODEL]}}}
    large = {"model": "large", "messages": [{"role": "user", "content": "hi"}]}
    async with world(tmp_path / "open", **settings) as w:
        assert (await w.chat(large, where="/video/invented")).status == 200
    async with world(tmp_path / "closed", **settings, elsewhere={"models": [MODEL]}) as w:
        for lab in ("invented", "-", "rough-cut"):
            assert (await w.chat(large, where=f"/video/{lab}")).error["code"] == "model_not_allowed"
            assert (await w.chat(where=f"/video/{lab}")).status == 200


async def test_content_is_not_kept_where_a_course_says_so(tmp_path: Path) -> None:
    async with world(tmp_path, courses={"video": {"keep_content": False}}) as w:
        await w.chat(messages=[{"role": "user", "content": "비밀"}])
        (row,) = await w.receipts()
        assert (row["prompt"], row["answer"]) == (None, None)
        assert len(row["prompt_sha256"]) == len(row["answer_sha256"]) == len(row["request_sha256"]) == 64
    assert "비밀".encode() not in b"".join(path.read_bytes() for path in (tmp_path / "gateway").iterdir())
