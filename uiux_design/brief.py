"""The checks of the words: what the brief requires is there, and what it forbids is not.

The rule this module keeps: words are compared as a reader sees them - no letter case, no invisible letters, no thousands
commas - and a Korean word also across spaces.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from pydantic import TypeAdapter

from labs.checks import CheckResult, Finding, passed, share
from labs.texts import Text
from uiux_design.scoring import by_faults, name, read_page
from uiux_design.wireframe import FILE, ROLE_TEXTS, Element, Role, Strict, Wireframe


class Need(Strict):
    """One thing that the brief asks for: an element of a role, with all of some words and any of others."""

    title: Text
    roles: tuple[Role, ...]
    all: tuple[str, ...] = ()
    any: tuple[str, ...] = ()
    max_bottom: int | None = None
    min_size: int | None = None
    near_button_px: int | None = None


class Claim(Strict):
    """Words that the client may not use, and why."""

    title: Text
    words: tuple[str, ...]


NEEDS, CLAIMS = TypeAdapter(tuple[Need, ...]), TypeAdapter(tuple[Claim, ...])


def plain(text: str) -> str:
    """Give text as it is compared: one form of each letter, small, no invisible letters, single spaces."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    seen = "".join(letter for letter in folded if unicodedata.category(letter) != "Cf")
    return re.sub(r"(?<=\d),(?=\d)", "", " ".join(seen.split()))


@lru_cache(maxsize=512)
def _pattern(term: str) -> tuple[re.Pattern[str], bool]:
    """Make a term's pattern, and say whether it is Korean: those are also found across spaces."""
    korean = bool(re.search(r"[가-힣]", term))
    words = plain(term).replace(" ", "") if korean else plain(term)
    start = r"(?<![0-9])" if words[0].isdigit() else "" if korean else r"(?<![a-z0-9])"
    return re.compile(start + re.escape(words)), korean


def says(text: str, term: str) -> bool:
    """Say whether a text uses a term; a number is not found inside a longer one."""
    pattern, korean = _pattern(term)
    seen = plain(text)
    return bool(pattern.search(seen.replace(" ", "") if korean else seen))


def _has_words(need: Need, element: Element) -> bool:
    text = element.text
    return all(says(text, term) for term in need.all) and (not need.any or any(says(text, term) for term in need.any))


def required(folder: Path, *, key: Path, file: str = FILE) -> CheckResult:
    """Check that each thing of a key is on the page, in its role and place; half points for the words alone.

    Source: the client's brief, written down in the key.
    """
    wireframe = read_page(folder, file)
    if isinstance(wireframe, CheckResult):
        return wireframe
    needs = NEEDS.validate_python(json.loads(key.read_text("utf-8")))
    scored = [_look_for(need, wireframe, file) for need in needs]
    return share(sum(score for score, _ in scored), len(scored), sorted((f for _, f in scored), key=lambda f: f.ok))


def _look_for(need: Need, wireframe: Wireframe, file: str) -> tuple[float, Finding]:
    titled = [element for element in wireframe.elements if _has_words(need, element)]
    # An element in the right role says more about what is still wrong than another that happens to use the words.
    titled.sort(key=lambda element: element.role not in need.roles)
    problems = [(element, _misplaced(need, element, wireframe)) for element in titled]
    right = [element for element, problem in problems if problem is None]
    if right:
        found = Text(ko=f"{need.title.ko}: 있습니다.", en=f"{need.title.en}: it is there.")
        return 1, Finding(ok=True, where=name(right[0]), found=found)
    if problems:
        element, problem = problems[0]
        found = Text(ko=f"{need.title.ko}: 문구는 있지만 조건에 맞지 않습니다.", en=f"{need.title.en}: the words are there, but not as asked.")  # fmt: skip
        return 0.5 * bool(need.all), Finding(where=name(element), found=found, right=problem)
    found = Text(ko=f"{need.title.ko}: 찾지 못했습니다.", en=f"{need.title.en}: not found.")
    add = Text(ko="브리프를 다시 읽고 요소를 추가하세요.", en="Read the brief again and add the element.")
    return 0, Finding(where=file, found=found, right=add)


def _misplaced(need: Need, element: Element, wireframe: Wireframe) -> Text | None:
    if element.role not in need.roles:
        ko, en = (" / ".join(texts) for texts in _role_names(need.roles))
        return Text(ko=f"{ko} 역할의 요소로 만드세요.", en=f"Give it the role {en}.")
    if need.max_bottom is not None and element.bottom > need.max_bottom:
        return Text(
            ko=f"첫 화면 안, y {need.max_bottom}px 위에서 끝나야 합니다(지금 {element.bottom}px).",
            en=f"It must end above y {need.max_bottom} px, on the first screen (now {element.bottom} px).",
        )
    if need.min_size is not None and element.size < need.min_size:
        return Text(ko=f"글자 크기를 {need.min_size}px 이상으로 하세요.", en=f"Set its text at {need.min_size} px or more.")  # fmt: skip
    if need.near_button_px is not None and not _near_button(element, wireframe, need.near_button_px):
        return Text(
            ko=f"버튼에서 {need.near_button_px}px 안에 두세요.",
            en=f"Place it within {need.near_button_px} px of a button.",
        )
    return None


def _role_names(roles: Sequence[Role]) -> tuple[list[str], list[str]]:
    texts = [ROLE_TEXTS[role] for role in roles]
    return [text.ko for text in texts], [text.en for text in texts]


def _near_button(element: Element, wireframe: Wireframe, px: int) -> bool:
    buttons = [other for other in wireframe.elements if other.role == "button"]
    return any(max(other.y - element.bottom, element.y - other.bottom) <= px for other in buttons)


def no_forbidden_claims(folder: Path, *, key: Path, file: str = FILE) -> CheckResult:
    """Check that no text makes a claim that the brief forbids.

    Source: the client's brief; for health claims of foods the Korean Act on Labeling and Advertising of Foods, article 8.
    """
    wireframe = read_page(folder, file)
    if isinstance(wireframe, CheckResult):
        return wireframe
    claims = CLAIMS.validate_python(json.loads(key.read_text("utf-8")))
    faults = [
        Finding(
            where=name(element),
            found=Text(ko=f"\u2018{word}\u2019: {claim.title.ko}", en=f"\u2018{word}\u2019: {claim.title.en}"),
            right=Text(
                ko="브리프의 금지 표현입니다. 사실만 남기고 문구를 고치세요.",
                en="The brief forbids it. Keep to the facts and rewrite the text.",
            ),
        )
        for element in wireframe.elements
        for claim in claims
        for word in claim.words
        if says(element.text, word)
    ]
    if not any(element.text.strip() for element in wireframe.elements):
        return share(
            0, 1, [Finding(where=file, found=Text(ko="문구가 하나도 없습니다.", en="There is no text at all."))]
        )
    return by_faults(faults, passed("금지된 표현이 없습니다.", "No forbidden claim was found."))
