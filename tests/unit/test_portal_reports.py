"""Reports on the portal: who may open which, what files they give, and that a programme's page names nobody."""

from __future__ import annotations

import re
from datetime import timedelta
from io import BytesIO

import pytest
from openpyxl import load_workbook
from played_gateway import gateway
from test_portal_world import COURSE, FIRST, NOW, OTHER, PEOPLE, PREFIX, SCRIPT, World, seeded_records, world  # noqa: F401

from grader.attendance.units import unit_periods
from grader.records import exemptions, rollup
from grader.records.db import writing
from grader.records.models import Region, RunSummary
from grader.records.state import find_course
from grader.roles import Caller
from hub_config.portal.checks import check_pairs

OFFICE = f"{PREFIX}office/hanbit/{COURSE}/reports"
CLASS = f"{PREFIX}class/{COURSE}/reports"
NAMES = ("attendance", "units", "completion", "log", "transcript")
ALLOWED = {
    OFFICE: {"office"}, f"{OFFICE}/attendance": {"office"}, CLASS: {"teacher"}, f"{CLASS}/log": {"teacher"},
    f"{PREFIX}learn/{COURSE}/transcript": {"mina"}, f"{PREFIX}office/hanbit/reports/runs": {"office"},
    f"{PREFIX}programme/p": {"ministry"},
}  # fmt: skip


@pytest.fixture(autouse=True)
def ministry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PEOPLE, "ministry", Caller("ministry", groups=frozenset({"programme-p", "programme-q"})))
    monkeypatch.setattr(rollup, "INLINE_SECONDS", 60)  # a page waits for all its counts, however busy the machine is


@pytest.mark.parametrize("path", ALLOWED)
@pytest.mark.parametrize("file", ["", "?file=csv", "?file=xlsx"])
def test_only_who_may_see_a_report_opens_it(world: World, path: str, file: str) -> None:  # noqa: F811
    for login in ("mina", "teacher", "office", "stranger", "ministry"):
        status = world.browser(login).get(path + file).status_code
        assert status == (200 if login in ALLOWED[path] else 403), (login, path)
    assert world.browser().get(path + file).status_code == 303


def test_an_office_sees_no_report_of_another_institution(world: World) -> None:  # noqa: F811
    assert world.browser("office").get(f"{PREFIX}office/hanbit/{OTHER}/reports/attendance").status_code == 404
    assert world.browser("office").get(f"{PREFIX}office/far/{OTHER}/reports/attendance").status_code == 403


def test_a_learner_gets_their_own_transcript_whatever_they_ask_for(world: World) -> None:  # noqa: F811
    text = world.browser("mina").get(f"{PREFIX}learn/{COURSE}/transcript?learner=jun").text
    assert "김미나" in text
    assert "이준" not in text


@pytest.mark.parametrize("lang", ["ko", "en"])
@pytest.mark.parametrize("name", NAMES)
def test_every_report_is_a_page_a_csv_and_a_spreadsheet(world: World, name: str, lang: str) -> None:  # noqa: F811
    world.attended("mina", FIRST)
    world.answer = gateway()
    browser = world.browser("office", lang)
    page, text, sheet = (
        browser.get(f"{OFFICE}/{name}{file}")
        for file in ("?learner=mina", "?learner=mina&file=csv", "?learner=mina&file=xlsx")
    )
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert text.content.startswith(b"\xef\xbb\xbf")
    assert text.headers["content-disposition"].endswith(".csv")
    assert load_workbook(BytesIO(sheet.content)).active is not None
    assert "김미나" in page.text
    assert "김미나" in text.text


def test_as_known_on_a_day_leaves_out_what_came_later(world: World) -> None:  # noqa: F811
    world.attended("mina", FIRST)
    world.now = NOW + timedelta(days=2)
    world.attended("jun", FIRST)
    browser = world.browser("office")
    lines = [browser.get(f"{OFFICE}/attendance?file=csv{on}").text.splitlines() for on in ("", "&on=2026-07-08")]
    found = [
        {line.split(",")[1]: line.split(",")[3] for line in of if ",jun," in line or ",mina," in line} for of in lines
    ]
    assert found == [{"김미나": "○", "이준": "○"}, {"김미나": "○", "이준": "/"}]


def test_what_is_paid_and_why_not_is_for_the_office_alone(world: World) -> None:  # noqa: F811
    with writing(world.engine) as session:
        run = find_course(session, COURSE)
        exemptions.flag(
            session, run, "mina", "receiving_unemployment_benefit", reason=f"{SCRIPT}=1+1", actor="office", now=NOW
        )
    for file in ("", "?file=csv", "?file=xlsx"):
        office, teacher = (
            world.browser(login).get(f"{base}/units{file}") for login, base in (("office", OFFICE), ("teacher", CLASS))
        )
        if file == "?file=xlsx":
            assert [len(load_workbook(BytesIO(each.content)).sheetnames) for each in (office, teacher)] == [2, 1]
            continue
        assert "실업급여 수급 중" in office.text
        assert "실업급여" not in teacher.text
        assert "예상액" not in teacher.text
        assert file or SCRIPT not in office.text


def test_a_unit_statement_is_of_the_unit_period_that_runs_unless_another_is_asked_for(world: World) -> None:  # noqa: F811
    with writing(world.engine) as session:
        run = find_course(session, COURSE)
        run.ends_on = FIRST + timedelta(days=100)
        periods = [f"{starts}" for starts, _ in unit_periods(run.starts_on, run.ends_on)]
    browser = world.browser("office")

    def units(query: str) -> list[str]:
        lines = browser.get(f"{OFFICE}/units?file=csv{query}").text.splitlines()
        return [line.split(",")[3] for line in lines if ",mina," in line]

    world.now = NOW + timedelta(days=40)
    page = browser.get(f"{OFFICE}/units").text
    assert f'<option value="{periods[1]}" selected>' in page
    assert units("") == ["2", "2"]
    assert units(f"&unit={periods[0]}") == ["1", "1"]
    assert units("&unit=all") == [f"{number}" for number in range(1, len(periods) + 1)] * 2
    assert browser.get(f"{OFFICE}/units?unit=2026-01-01").status_code == 400


@pytest.mark.parametrize(
    ("query", "status"),
    [("?month=x", 400), ("?month=2026-13", 400), ("?on=tomorrow", 400), ("?file=pdf", 400), ("?month=2099-01", 200)],
)
def test_what_cannot_be_shown_says_why(world: World, query: str, status: int) -> None:  # noqa: F811
    assert world.browser("office").get(f"{OFFICE}/attendance{query}").status_code == status


def test_no_such_report_learner_or_programme_is_not_found(world: World) -> None:  # noqa: F811
    for path in (f"{OFFICE}/nothing", f"{OFFICE}/transcript?learner=nobody"):
        assert world.browser("office").get(path).status_code == 404
    assert world.browser("ministry").get(f"{PREFIX}programme/q").status_code == 404


@pytest.mark.parametrize("file", ["", "?file=csv"])
@pytest.mark.parametrize("lang", ["ko", "en"])
def test_a_programmes_page_names_nobody(world: World, lang: str, file: str) -> None:  # noqa: F811
    world.attended("mina", FIRST)
    text = world.browser("ministry", lang).get(f"{PREFIX}programme/p{file}").text
    body = text.partition("<main")[2] or text
    for word in ("김미나", "이준", "이브", "mina", "jun", "eve", "teacher", "office"):
        assert not re.search(rf"(?<![a-z]){word}(?![a-z])", body)
    assert ("비공개" if lang == "ko" else "hidden") in body  # three learners are few


def test_a_programme_counts_anew_what_is_stale_and_says_as_of_when(world: World) -> None:  # noqa: F811
    browser = world.browser("ministry")
    assert "2026-07-08 10:00" in browser.get(f"{PREFIX}programme/p").text
    world.now = NOW + timedelta(hours=1)
    world.site.rollup.look([COURSE, OTHER])
    thread = world.site.rollup._thread
    assert thread is not None
    thread.join()
    assert "2026-07-08 11:00" in browser.get(f"{PREFIX}programme/p").text


def test_dropped_summaries_are_counted_again(world: World) -> None:  # noqa: F811
    browser = world.browser("ministry")
    first = browser.get(f"{PREFIX}programme/p").text
    with writing(world.engine) as session:
        session.query(RunSummary).delete()
    assert browser.get(f"{PREFIX}programme/p").text == first


def test_a_summary_of_an_older_version_is_counted_again(world: World) -> None:  # noqa: F811
    browser = world.browser("ministry")
    first = browser.get(f"{PREFIX}programme/p").text
    with writing(world.engine) as session:
        for row in session.query(RunSummary):
            row.counts = {"enrolled": 9999, "attending": 9999, "mark": row.counts["mark"]}
    assert browser.get(f"{PREFIX}programme/p").text == first


def test_no_sums_are_told_while_some_course_runs_are_not_counted(
    world: World,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rollup, "INLINE_SECONDS", 0)
    monkeypatch.setattr(world.site.rollup, "_soon", lambda courses: None)
    for file in ("", "?file=csv"):
        text = world.browser("ministry").get(f"{PREFIX}programme/p{file}").text
        assert "과정 2개 가운데 2개를 집계하고 있습니다" in text
        assert "<table" not in text


def test_a_slice_has_an_address_of_its_own_and_a_file(world: World) -> None:  # noqa: F811
    browser = world.browser("ministry")
    page = browser.get(f"{PREFIX}programme/p?region=seoul&occupation=none&phase=running&institution=hanbit")
    assert page.status_code == 200
    assert '<option value="hanbit" selected>' in page.text
    assert "region=seoul&amp;occupation=none&amp;phase=running&amp;institution=hanbit&amp;file=csv" in page.text
    text = browser.get(f"{PREFIX}programme/p?institution=far&file=csv").text
    assert "먼학교" in text
    assert "한빛직업전문학교" not in text


@pytest.mark.parametrize(
    "query", ["region=mars", "occupation=x", "phase=never", "institution=video-1", "region=jeju&institution=hanbit"]
)
def test_a_slice_that_is_none_names_its_field(world: World, query: str) -> None:  # noqa: F811
    answer = world.browser("ministry", "en").get(f"{PREFIX}programme/p?{query}")
    assert answer.status_code == 400
    assert f"{query.rpartition('&')[2].partition('=')[0]}: this programme has no such value" in answer.text


def test_every_region_is_a_tile_in_words_and_leads_to_its_slice(world: World) -> None:  # noqa: F811
    with writing(world.engine) as session:
        session.add_all(Region(id=name, title_ko=ko, title_en=name) for name, ko in (("seoul", "서울특별시"), ("busan", "부산광역시"), ("moon", SCRIPT)))  # fmt: skip
    text = world.browser("ministry").get(f"{PREFIX}programme/p?region=seoul").text
    shown = text[text.index('<ul class="tilemap"') : text.index("</ul>", text.index('<ul class="tilemap"'))]
    assert 'class="tile at-seoul"' in shown
    assert "region=seoul" not in shown
    assert 'aria-current="true"' in shown
    assert '<span class="hidden">서울특별시: 수료율 비공개, 출석률 비공개, 기관 1곳, 등록 비공개</span>' in shown
    assert f'href="{PREFIX}programme/p?region=jeju#map"' in shown
    assert "과정 없음" in shown  # Busan
    assert SCRIPT not in text
    assert "style=" not in shown


def test_the_programme_is_a_place_of_whom_its_group_names(world: World) -> None:  # noqa: F811
    assert world.browser("ministry").get(PREFIX).headers["location"] == f"{PREFIX}programme/p"


def test_every_profession_is_measured_by_the_two_forms_of_its_check() -> None:
    assert set(check_pairs()) == {(f"{trade}-check-before", f"{trade}-check-after") for trade in ("film", "ux", "book")}
