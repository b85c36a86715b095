"""The receipts' chain, anchored in the journal: numbers only grow, and only the gateway may anchor."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine

from grader.records import journal
from grader.records.anchors import Anchor, BadAnchor, add, anchors
from grader.records.db import reading, writing
from grader.roles import Caller, Forbidden


def anchor(number: int, letter: str = "a") -> Anchor:
    return Anchor(number=number, hash=letter * 64)


def test_anchors_are_events_of_the_journal(engine: Engine) -> None:
    with writing(engine) as session:
        for number in (3, 7, 7):
            add(session, anchor(number), "ai-gateway")
    with reading(engine) as session:
        assert anchors(session) == [anchor(3), anchor(7)]
        assert journal.verify(session) is None


@pytest.mark.parametrize("wrong", [anchor(6), anchor(7, "b")])
def test_an_anchor_never_goes_back(engine: Engine, wrong: Anchor) -> None:
    with writing(engine) as session:
        add(session, anchor(7), "ai-gateway")
    with writing(engine) as session, pytest.raises(BadAnchor, match="7"):
        add(session, wrong, "ai-gateway")


@pytest.mark.parametrize("raw", [{"number": 0, "hash": "a" * 64}, {"number": 1, "hash": "x"}, {"number": 1}])
def test_an_anchor_is_a_number_and_a_hash(raw: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Anchor.model_validate(raw)


@pytest.mark.parametrize(
    "caller",
    [Caller("ai-gateway"), Caller("grader", "service"), Caller("kim", groups=frozenset({"formgrade-video"}))],
)
def test_nobody_but_the_gateway_anchors(caller: Caller) -> None:
    with pytest.raises(Forbidden):
        caller.must_be_gateway()
    Caller("ai-gateway", "service").must_be_gateway()
