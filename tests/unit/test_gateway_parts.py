"""The gateway's small parts: prices, turns, redaction, settings, the Hub's answers."""

from __future__ import annotations

import asyncio
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from gateway_support import CANARY_KEY, MODEL, Hub, config_for, served
from pydantic import ValidationError

from hub_config.ai_gateway.config import Price, Route
from hub_config.ai_gateway.errors import GatewayError
from hub_config.ai_gateway.identity import HubIdentity, parse_user
from hub_config.ai_gateway.ledger import Usage
from hub_config.ai_gateway.pricing import cost_krw, reservation_krw
from hub_config.ai_gateway.redact import without_keys, without_personal_data
from hub_config.ai_gateway.turns import Turns

PRICE = Price(effective=date(2026, 1, 1), input_krw_per_million=200, output_krw_per_million=800)


@pytest.mark.parametrize(
    ("prompt", "answer", "won"), [(0, 0, 0), (1, 0, 1), (5000, 0, 1), (5001, 0, 2), (1_000_000, 500_000, 600)]
)
def test_a_cost_is_whole_won_rounded_up(prompt: int, answer: int, won: int) -> None:
    assert cost_krw(PRICE, Usage(prompt, answer)) == won


def test_audio_speech_and_pictures_cost_what_they_are_counted_by() -> None:
    price = Price(
        effective=date(2026, 1, 1), krw_per_audio_minute=9, krw_per_million_characters=20_000, krw_per_image=60
    )
    assert cost_krw(price, Usage(audio_ms=60_000)) == 9
    assert cost_krw(price, Usage(audio_ms=1)) == 1
    assert cost_krw(price, Usage(characters=50)) == 1
    assert cost_krw(price, Usage(images=3)) == 180


def test_a_reservation_is_at_least_one_won() -> None:
    assert reservation_krw(PRICE, Usage(5000, 1000)) == cost_krw(PRICE, Usage(5000, 1000))
    assert reservation_krw(Price(effective=date(2026, 1, 1)), Usage(5000, 1000)) == 1


def test_the_price_in_force_is_the_last_one_before_the_day() -> None:
    prices = tuple(Price(effective=date(2026, month, 1), input_krw_per_million=won) for month, won in ((7, 2), (1, 1)))
    route = Route(upstream="a", model="m", prices=prices)
    days = [date(2025, 1, 1), date(2026, 6, 30), date(2026, 7, 1), date(2030, 1, 1)]
    assert [route.price(day).input_krw_per_million for day in days] == [1, 1, 2, 2]


@pytest.mark.parametrize(
    "wrong",
    [
        {"models": {}},
        {"models": {MODEL: []}},
        {"route": {"prices": []}},
        {"route": {"upstream": "nobody"}},
        {"route": {"endpoints": ["telepathy"]}},
        {"identity_seconds": 61},
        {"time_zone": "Asia/Nowhere"},
        {"budget_krw": -1},
        {"unknown": 1},
        {"upstream": {"base_url": "file:///etc/passwd"}},
        {"upstream": {"name": "Built In"}},
        {"upstreams": []},
        {"upstreams": [{"name": "built-in", "base_url": "http://h/v1"}] * 2},
        {"courses": {"video": {"labs": {"Rough Cut": {}}}}},
    ],
)
def test_wrong_settings_do_not_start(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        config_for(tmp_path, "http://h/v1", "http://h", **wrong)


def test_a_key_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{CANARY_KEY}\n")
    config = config_for(tmp_path, "http://h/v1", "http://h", upstream={"api_key_file": str(tmp_path / "key")})
    assert config.upstreams[0].key() == CANARY_KEY


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("문의: kim.lee+1@mail.example.co.kr로", "문의: [이메일]로"),
        ("010-1234-5678 / 01012345678 / 010 1234 5678", "[전화번호] / [전화번호] / [전화번호]"),
        ("+82 10-1234-5678, +82-2-123-4567", "[전화번호], [전화번호]"),
        ("02-345-6789, 031-123-4567, 070-1234-5678", "[전화번호], [전화번호], [전화번호]"),
        ("900101-1234567, 0501014234567", "[주민등록번호], [주민등록번호]"),
        ("2026-11-23 12:30:45, 1,000,000원, 00:01:02.500", "2026-11-23 12:30:45, 1,000,000원, 00:01:02.500"),
        ("ISBN 979-11-1234-567-8", "ISBN 979-11-1234-567-8"),
    ],
)
def test_personal_data_is_taken_out(text: str, kept: str) -> None:
    assert without_personal_data(text) == kept


def test_keys_are_taken_out() -> None:
    assert without_keys(f"a {CANARY_KEY} b", ["", CANARY_KEY]) == "a [key] b"
    assert without_keys(json.dumps(CANARY_KEY), [CANARY_KEY]) == '"[key]"'


async def nobody(_position: int) -> None:
    pass


async def test_turns_keep_both_limits_and_are_fair() -> None:
    turns, order, running, most = Turns(calls_per_learner=2, waiting_per_learner=99), [], {"ann": 0, "bob": 0}, [0, 0]

    async def call(learner: str, number: int) -> None:
        async with turns.turn(learner, "u", 2, nobody):
            running[learner] += 1
            most[:] = [max(most[0], running["ann"]), max(most[1], sum(running.values()))]
            order.append(f"{learner}{number}")
            await asyncio.sleep(0.001)
            running[learner] -= 1

    await asyncio.gather(*(call("ann", n) for n in range(6)), *(call("bob", n) for n in range(3)))
    assert most == [2, 2]
    assert order[:3] == ["ann0", "ann1", "bob0"]
    assert order.index("bob2") < order.index("ann5")
    assert [name for name in order if name.startswith("ann")] == [f"ann{n}" for n in range(6)]


async def test_a_turn_given_up_goes_to_the_next() -> None:
    turns = Turns(calls_per_learner=1, waiting_per_learner=2)
    async with turns.turn("ann", "u", 1, nobody):
        gone = asyncio.create_task(turns.turn("bob", "u", 1, nobody).__aenter__())
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
    async with asyncio.timeout(1), turns.turn("eve", "u", 1, nobody):
        pass


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        {"kind": "user"},
        {"kind": "user", "name": ""},
        {"kind": "user", "name": 7},
    ],
)
def test_an_answer_that_names_no_user_is_nobody(answer: Any) -> None:
    with pytest.raises(GatewayError):
        parse_user(answer)


@pytest.mark.parametrize("groups", [None, "nbgrader-video", {"nbgrader-video": 1}, [7, None]])
def test_groups_that_are_no_list_of_names_are_none(groups: Any) -> None:
    assert not parse_user({"kind": "user", "name": "ann", "groups": groups}).takes_part("video")


async def test_the_hub_is_asked_again_after_the_time() -> None:
    import aiohttp
    from aiohttp import web

    hub, app = Hub(), web.Application()
    app.router.add_get("/user", hub.user)
    async with served(app) as url, aiohttp.ClientSession() as session:
        who = HubIdentity(url, 0.05, session)
        assert (await who("ann-token")).name == (await who("ann-token")).name == "ann"
        assert len(hub.asked) == 1
        await asyncio.sleep(0.06)
        hub.status = 403
        with pytest.raises(GatewayError):
            await who("ann-token")
        assert "ann-token" not in json.dumps(list(map(str, vars(who)["_known"])))
