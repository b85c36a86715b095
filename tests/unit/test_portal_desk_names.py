"""With names off, no page of the review desk has one, and other words stay."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import json
import re
import time
import unicodedata

import pytest
from desk_class import COURSE, LAB, SRT, TASK, DeskClass, evidence, files
from desk_page import DESK, desk, number_of, page, save, served, waiting
from played_gateway import receipt
from test_portal_world import PREFIX, seeded_records, world

from grader.records import journal, reviews
from grader.records.db import reading
from hub_config.portal.desk_names import VEIL, Veil, code


def hunt(text: str, people: dict[str, str]) -> list[str]:
    """The names and logins that a page gives away."""
    return [
        word
        for login, name in people.items()
        for word in (login, name)
        if re.search(rf"(?<![a-z]){re.escape(word)}(?![a-z])", text)
    ]


@pytest.mark.parametrize("lang", ["ko", "en"])
def test_with_names_off_no_page_of_the_desk_has_one(desk: DeskClass, lang: str) -> None:
    people = {"mina": "김미나", "jun": "이준"}
    told = "김미나(mina)가 이준과 함께 만들었습니다."
    given = {}
    for who, name in people.items():
        content = files(**{
            "ai_disclosure.md": told.encode(), f"{name}-{who}.hwp": b"x", "cutlist.json": f'{{"by": "{who}"}}'.encode(),
            "captions.ko.srt": SRT.replace("가죽", name).encode(), "evidence.json": evidence(f"{name}의 공방", f"{who} 공방"),
        })  # fmt: skip
        given[who] = desk.hand_in(who, content)
        desk.grade(given[who], who, found=f"{name}의 화면")
    prompt = json.dumps({"messages": [{"role": "user", "content": told}]}, ensure_ascii=False)
    calls = [receipt(number, who, prompt=prompt) for number, who in enumerate(people, 1)]
    desk.world.answer.receipts = calls  # type: ignore[attr-defined]
    paths = ["", "?show=waiting"]
    for number, submission in enumerate(given.values(), 1):
        paths += [
            f"/{submission}",
            f"/{submission}/ai",
            f"/{submission}/ai/rcpt_{number:024x}",
            f"/{submission}/criteria/{TASK}",
        ]
        paths += [f"/{submission}/captions/{number_of(desk, submission, 'captions.ko.srt')}"]
    assert all(hunt(page(desk, path, lang=lang).text, people) for path in paths if "criteria" not in path)

    answer = desk.world.post(desk.world.browser("teacher"), f"{DESK}/blind", "teacher", to="on")
    assert answer.headers["location"] == f"{PREFIX}{DESK}"
    for path in paths:
        shown = page(desk, path, lang=lang)
        assert shown.status_code == 200
        assert hunt(f"{shown.text}{dict(shown.headers)}", people) == [], path
    for who, submission in given.items():
        kept = served(desk, submission, f"{people[who]}-{who}.hwp", "?download=true")
        assert kept.headers["content-disposition"].endswith('.hwp"')
        assert hunt(str(dict(kept.headers)), people) == []
        assert code(submission) in page(desk).text
        refused = save(desk, submission, level="99")
        assert hunt(refused.text, people) == []
    order = re.findall(r'<th scope="row"><a href="[^"]+/(\w{32})"', page(desk).text)
    assert order == sorted(given.values(), key=code)
    with reading(desk.world.engine) as session:
        (event,) = journal.events(session, COURSE, kind=reviews.BLIND)
    assert (event.actor, event.payload) == ("teacher", {"lab": LAB, "on": True})
    desk.world.post(desk.world.browser("both"), f"{DESK}/blind", "both", to="off")
    assert "김미나" in page(desk).text


def test_a_name_is_taken_out_of_text_and_other_words_stay() -> None:
    veil = Veil({"mina": "김미나", "jun": "이준", "x": "밥"})
    assert (
        veil("김미나가 Mina@x.kr로 terminal을 열고 밥을 jun_2와") == "○○○가 ○○○@○○○.kr로 terminal을 열고 밥을 jun_2와"
    )
    assert veil(unicodedata.normalize("NFD", "김미나")) == "○○○", "as a Mac writes it"
    assert Veil({})("김미나") == "김미나"


def test_taking_a_whole_classs_names_out_of_a_long_text_is_quick() -> None:
    veil = Veil({f"learner{n}": f"훈련생{n}" for n in range(200)})
    began = time.process_time()
    assert VEIL in veil("편집 초안을 훈련생17이 검토했습니다. " * 10_000)
    assert time.process_time() - began < 1
