"""What was asked and answered in an AI call, as turns to read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from played_gateway import receipt

from hub_config.portal import conversation
from hub_config.portal.ai_records import Receipt
from hub_config.portal.conversation import answered, asked


def turns(
    prompt: Any = None, answer: Any = None, answer_type: str | None = "application/json"
) -> list[tuple[str, str]]:
    row = Receipt.model_validate(
        receipt(1, prompt=_text(prompt), answer=_text(answer), answer_type=answer_type),
    )
    return [(turn.role, turn.text) for turn in [*asked(row), *answered(row)]]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) or value is None else json.dumps(value)


@pytest.mark.parametrize(
    ("prompt", "answer", "expected"),
    [
        (None, None, []),
        (
            {
                "messages": [
                    {"role": "system", "content": "s"},
                    {"role": "user", "content": [{"type": "text", "text": "u"}]},
                ]
            },
            {"choices": [{"message": {"role": "assistant", "content": "a"}}]},
            [("system", "s"), ("user", "u"), ("assistant", "a")],
        ),
        ([{"role": "user", "content": "only the messages"}], None, [("user", "only the messages")]),
        (
            {"instructions": "i", "input": "q"},
            {
                "text": {"format": 1},
                "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]}],
            },
            [("system", "i"), ("user", "q"), ("assistant", "a")],
        ),
        (
            {"input": ["one", "two"]},
            {"data": 1},
            [("user", "one"), ("user", "two"), ("assistant", '{\n  "data": 1\n}')],
        ),
        ({"prompt": "a picture"}, None, [("user", "a picture")]),
        ({"model": "stt"}, {"text": "들은 말"}, [("input", '{\n  "model": "stt"\n}'), ("assistant", "들은 말")]),
        (None, "plain text", [("assistant", "plain text")]),
    ],
)
def test_turns_are_read_from_every_kind_of_call(prompt: Any, answer: Any, expected: list[tuple[str, str]]) -> None:
    assert turns(prompt, answer) == expected


def test_sound_is_told_and_not_shown() -> None:
    assert turns(answer="UklGRg==", answer_type="audio/wav;base64") == [("assistant", "audio/wav, 4 B")]


def test_deep_nesting_does_not_swell_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    deep = "[" * 300 + "1," * 20_000 + "1" + "]" * 300
    assert sum(len(text) for _, text in turns(deep)) == len(deep)
    monkeypatch.setattr(conversation, "DEEPEST", 1000)
    assert sum(len(text) for _, text in turns(deep)) > 200 * len(deep), "without the limit it would"
    monkeypatch.undo()
    for depth in range(860, 1000):  # where reading and writing run out of stack at different depths
        assert turns("[" * depth + "]" * depth)


def test_tool_calls_are_shown_as_json() -> None:
    call = {
        "choices": [
            {
                "message": {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"id": "c", "function": {"name": "cut"}}],
                }
            }
        ]
    }
    assert '"name": "cut"' in turns(answer=call)[0][1]
