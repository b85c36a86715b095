"""Hostile prompts, answers and names on every page of AI use: text, and nothing else."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import json
from typing import Any

import pytest
from played_gateway import PlayedGateway, receipt, spend
from test_portal_ai import CLASS, MINE, OFFICE, call_of, played
from test_portal_world import COURSE, PREFIX, SCRIPT, World, change_templates, seeded_records, without_escaping, world

from hub_config.portal.visible import visible

#: Turns the text that follows it around: an answer can be made to read as its opposite.
RTL = "\u202e"
NAMES = (f"evil{SCRIPT}", f"=cmd|' /C calc'!A0{RTL}", "x" * 5000)
PROMPTS = (
    SCRIPT,
    json.dumps(
        {
            "messages": [
                {"role": SCRIPT, "content": f"{RTL}{SCRIPT}"},
                3,
                None,
                {"role": ["x"], "content": {"a": SCRIPT}},
            ]
        }
    ),
    '{"messages": [{"role": "user", "content": "\\ud800\\u0000\\u001b[31m"}]}',
    "[" * 100_000,
    '{"a":' * 900 + "1" + "}" * 900,
    "9" * 5000,
    '{"input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": 3}, "y"]}]}',
    '{"messages": {"role": "user"}, "instructions": ["x"], "prompt": 0}',
    "null",
    "",
)


def hostile(made: PlayedGateway, prompt: str) -> None:
    """Everything that a learner, a model or a server outside may name, made hostile."""
    first, second, long = NAMES
    made.receipts = [
        receipt(
            2, model=first, upstream=second, endpoint=first, outcome=second, lab=first, prompt=prompt, answer=prompt
        ),
        receipt(1, model=long, learner="mina", answer_type="audio/wav;base64", answer="%%%"),
    ]
    made.spends = {group: [spend(group, name) for name in NAMES] for group in made.spends}
    made.status["upstreams"] = [
        {
            "name": first,
            "state": "open",
            "running": 0,
            "waiting": 0,
            "failures": 1,
            "last_error": second,
            "last_ok_at": None,
        }
    ]
    made.switch = {"ai": False, "set_by": second, "set_at": "2026-07-08T01:00:00Z"}


def pages_of(world: World, made: PlayedGateway) -> dict[str, str]:
    """Every page that shows AI use."""
    mine, theirs = (f"{base}/{call_of(made.receipts[0])}" for base in (MINE, CLASS))
    addresses = [
        ("mina", MINE), ("mina", mine), ("teacher", CLASS), ("teacher", f"{CLASS}/receipts"), ("teacher", theirs),
        ("teacher", f"{PREFIX}class/{COURSE}"), ("office", f"{OFFICE}/use"), ("mina", f"{MINE}/{call_of(made.receipts[1])}"),
    ]  # fmt: skip
    found = {path: world.browser(login).get(path) for login, path in addresses}
    assert {path: answer.status_code for path, answer in found.items()} == dict.fromkeys(found, 200)
    return {path: answer.text for path, answer in found.items()}


@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda prompt: prompt[:20])
def test_hostile_text_is_text_on_every_page(world: World, prompt: str) -> None:
    made = played(world)
    hostile(made, prompt)
    for path, page in pages_of(world, made).items():
        assert SCRIPT not in page, path
        assert RTL not in page, path
        assert "\x1b" not in page, path
        page.encode("utf-8")


def test_without_the_escaping_a_prompt_would_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = played(world)
    hostile(made, SCRIPT)
    change_templates(monkeypatch, without_escaping)
    pages = pages_of(world, made)
    assert sum(SCRIPT in page for page in pages.values()) >= 6


def test_without_visible_a_mark_would_turn_the_text_around(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = played(world)
    hostile(made, PROMPTS[1])
    change_templates(monkeypatch, lambda environment: environment.filters.update(visible=str))
    assert sum(RTL in page for page in pages_of(world, made).values()) == 5


def test_signs_that_hide_are_spelled_out_and_text_stays() -> None:
    assert visible(f"가{RTL}b\u200f\u2066\ufeff\x00\ud800") == "가[U+202E]b[U+200F][U+2066][U+FEFF][U+0000][U+D800]"
    for text in ("줄\n바꿈\t칸", "👩‍💻", "שלום", "café"):
        assert visible(text) == text
    assert visible("a\r\nb") == "a\nb"
