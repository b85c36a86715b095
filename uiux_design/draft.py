"""The AI's draft: the form of its answer, and reading that answer.

The rule this module keeps: an answer of an AI is read as far as it can be read, nothing in it is corrected in silence, and
what could not be read is told.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from labs.texts import Text
from uiux_design.wireframe import FIRST_SCREEN, MAX_HEIGHT, ROLES, SECTION_PAD, Element, Section, Wireframe

MAX_IN_SECTION = 4
COLOUR_SCHEMA = {"type": "string", "pattern": "^#[0-9A-F]{6}$"}
FIELDS: dict[str, Any] = {
    "role": {"type": "string", "enum": list(ROLES)},
    "text": {"type": "string"},
    "x": {"type": "integer", "minimum": 0, "maximum": 390},
    "y": {"type": "integer", "minimum": 0, "maximum": 900},
    "width": {"type": "integer", "minimum": 1, "maximum": 390},
    "height": {"type": "integer", "minimum": 1, "maximum": 500},
    "color": COLOUR_SCHEMA,
    "background": COLOUR_SCHEMA,
    "size": {"type": "integer", "minimum": 10, "maximum": 40},
}
#: What the AI must answer in, as the `response_format` of the OpenAI API.
ANSWER_FORMAT: dict[str, Any] = {
    "type": "json_schema",
    "json_schema": {
        "name": "section",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {
                "elements": {
                    "type": "array",
                    "minItems": 2,
                    "maxItems": MAX_IN_SECTION,
                    "items": {
                        "type": "object",
                        "properties": FIELDS,
                        "required": [key for key in FIELDS if key != "background"],
                        "additionalProperties": False,
                    },
                }
            },
            "required": ["elements"],
            "additionalProperties": False,
        },
    },
}


def messages(prompt: str, wants: str) -> list[dict[str, str]]:
    """Make what is sent to the AI for one section: the learner's prompt, then what the section is for."""
    return [
        {
            "role": "system",
            "content": (
                "You design one section of a mobile landing page, 390 px wide. Answer with its elements as compact "
                "one-line JSON. Roles: heading, body, button, link, image, input. x and y count from the section's top left."
            ),
        },
        {"role": "user", "content": f"{prompt}\n\n[{wants}]"},
    ]


def from_answers(answers: Mapping[str, str], sections: Sequence[Section]) -> tuple[Wireframe, list[Text]]:
    """Put the AI's answers, JSON text by section id, together as one page; with notes on what could not be read.

    The sections stand one under another; positions, sizes, colours and words are the AI's.
    """
    placed: list[Element] = []
    notes: list[Text] = []
    top = 0
    for section in sections:
        elements, unread = _elements(section.id, answers.get(section.id, ""), top)
        notes.extend(unread)
        placed.extend(elements)
        top = max([top, *(element.bottom + SECTION_PAD for element in elements)])
    return Wireframe(height=page_height(placed), sections=tuple(sections), elements=tuple(placed)), notes


def page_height(elements: Sequence[Element]) -> int:
    """Give the height in px of a page: a first screen at least, and what the elements need."""
    return min(MAX_HEIGHT, max([FIRST_SCREEN, *(element.bottom + SECTION_PAD for element in elements)]))


def _elements(section: str, answer: str, top: int) -> tuple[list[Element], list[Text]]:
    try:
        items = json.loads(answer)["elements"]
        if not isinstance(items, list):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError):
        note = f"{section}: 답이 중간에 끊겼거나 JSON이 아닙니다.", f"{section}: the answer was cut off or is no JSON."
        return [], [Text(ko=note[0], en=note[1])]
    elements, notes = [], []
    for number, item in enumerate(items[:MAX_IN_SECTION], 1):
        try:
            fields = {key: item[key] for key in FIELDS if key in item}
            fields["y"] += top
            elements.append(Element(id=f"{section}-{number}", section=section, **fields))
        except (ValidationError, KeyError, TypeError):
            note = f"{section} {number}번째 요소를 읽을 수 없습니다.", f"{section}: element {number} cannot be read."
            notes.append(Text(ko=note[0], en=note[1]))
    return elements, notes
