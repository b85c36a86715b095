"""What courses and labs allow: models, endpoints, AI off, budgets by day, in tokens, of the course and of the institution."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from gateway_support import MODEL, PRICES, config_for, world

from hub_config.ai_gateway.config import Limit
from hub_config.ai_gateway.policy import rules

#: The numbers of a limit.
NUMBERS = ("krw", "tokens", "krw_per_day", "tokens_per_day")
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


async def test_the_office_reads_the_limits_in_force_and_how_far_they_are_used(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "budgets": {"learner": {"krw": 25}, "institution": {"krw_per_day": 1000}},
        "courses": {"video": {"course": {"krw": 70}, "labs": {"extra": {"learner": {"tokens": 5}}}}},
        "labs": {"rough-cut": {"learner": {"krw": 30}}},
    }
    async with world(tmp_path, **settings) as w:
        for token, where in (("ann-token", "/video/rough-cut"), ("ann-token", "/video/-"), ("bob-token", "/video/-"), ("bob-token", "/books/-")):  # fmt: skip
            assert (await w.chat(token=token, where=where, max_tokens=10)).status == 200

        async def held(query: str = "") -> dict[tuple[str, str], Any]:
            told = (await w.ask("GET", f"/limits{query}", token="office-token")).json()["data"]
            return {(line["account"], line["lab"]): line for line in told}

        everywhere = await held()
        assert set(everywhere) == {("institution", ""), ("course", ""), ("learner", "")}
        assert everywhere["learner", ""]["limit"] == {
            "krw": 25,
            "tokens": None,
            "krw_per_day": None,
            "tokens_per_day": None,
        }
        assert everywhere["institution", ""]["most_spent"] == {
            "krw": 40,
            "krw_per_day": 40,
            "tokens": 60,
            "tokens_per_day": 60,
        }
        assert everywhere["course", ""]["most_spent"]["krw"] == 30, "the course that spent most"
        assert everywhere["learner", ""]["most_spent"]["krw"] == 20, "the learner who spent most in one course"
        video = await held("?course=video")
        assert (video["course", ""]["limit"]["krw"], video["course", ""]["most_spent"]["krw"]) == (70, 30)
        assert video["lab", "rough-cut"]["most_spent"]["krw"] == 10
        assert video["lab", "extra"] == {
            "account": "lab", "lab": "extra", "used_up": 0, "most_spent": dict.fromkeys(NUMBERS, 0),
            "limit": {**dict.fromkeys(NUMBERS), "tokens": 5},
        }  # fmt: skip
        assert (await held("?course=books"))["learner", ""]["most_spent"]["krw"] == 10
        for token in ("ann-token", "teacher-token", "service-token"):
            assert (await w.ask("GET", "/limits?course=video", token=token)).status in (401, 403)
        assert (await w.ask("GET", "/limits", token=None)).status == 401
        assert "ann" not in json.dumps(list(video.values())), "nobody is named"


async def test_who_has_nothing_left_is_counted(tmp_path: Path) -> None:
    async with world(tmp_path, budgets={"learner": {"krw": 20}}) as w:
        for token, calls in (("ann-token", 2), ("bob-token", 1)):
            for _ in range(calls):
                assert (await w.chat(token=token, where="/video/-", max_tokens=10)).status == 200
        told = (await w.ask("GET", "/limits?course=video", token="office-token")).json()["data"]
        assert {line["account"]: line["used_up"] for line in told} == {"institution": 0, "course": 0, "learner": 1}
