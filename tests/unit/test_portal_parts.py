"""The parts that all pages share: what they say to whoever cannot see them, and that numbers stand as numbers."""

from __future__ import annotations

import re
from datetime import date, timedelta
from itertools import pairwise
from types import SimpleNamespace

import pytest

from hub_config.portal import site
from hub_config.portal.ai_days import chart
from hub_config.portal.ai_records import Spend
from hub_config.portal.i18n import load

SCRIPT = "<script>alert(1)</script>"


def drawn(body: str, **values: object) -> str:
    environment = site.environment(load()["en"])
    template = environment.from_string('{% import "_parts.html" as parts with context %}' + body)
    return template.render(**{"v": SimpleNamespace(), "script": SCRIPT, **values})


def test_a_notice_is_said_at_once_where_it_is_bad() -> None:
    assert 'role="alert"' in drawn('{% call parts.notice("bad") %}no{% endcall %}')
    assert 'role="status"' in drawn('{% call parts.notice("good") %}yes{% endcall %}')
    assert SCRIPT not in drawn("{% call parts.notice() %}{{ script }}{% endcall %}")


def test_an_empty_state_says_what_to_do() -> None:
    assert drawn('{{ parts.empty("Nothing yet.") }}').count("<p>") == 1
    page = drawn('{% call parts.empty(script) %}<a href="/do">Do</a>{% endcall %}')
    assert '<a href="/do">' in page
    assert SCRIPT not in page


def test_a_table_is_named_by_its_caption_and_reached_by_keyboard() -> None:
    page = drawn('{% call parts.table("t", script, shown=false) %}<tbody></tbody>{% endcall %}')
    assert re.search(r'role="region" tabindex="0" aria-labelledby="t"', page)
    assert '<caption id="t" class="hidden">&lt;script' in page


@pytest.mark.parametrize("most", [200, 0])
def test_bars_have_every_number_beside_them(most: int) -> None:
    rows = [("월", 100), (SCRIPT, 20 if most else 1000)]
    page = drawn('{{ parts.bars("c", "Calls", ["Day", "Calls"], rows, most) }}', rows=rows, most=most)
    assert SCRIPT not in page
    assert "style=" not in page, "a content policy without 'unsafe-inline' would not show it"
    assert ">100<" in page
    widths = [float(width) for width in re.findall(r'width="([\d.]+)%"', page)]
    assert widths == ([50.0, 10.0] if most else [0.0] * 2)


def spent(day: str, won: int, calls: int = 3) -> Spend:
    return Spend(name=day, calls=calls, refused=0, prompt_tokens=0, completion_tokens=0, cost_krw=won, last_at=None)


TODAY = date(2026, 8, 3)


def test_a_chart_of_days_has_a_place_for_each_day_and_begins_at_nothing() -> None:
    lines = [spent("2026-08-03", 120), spent("2026-07-30", 60), spent("2026-07-20", 9999), spent("nonsense", 9999)]
    made = chart(lines, TODAY)
    assert [bar.day for bar in made.bars] == [TODAY - timedelta(days=back) for back in range(13, -1, -1)]
    assert {bar.day.day: bar.cost_krw for bar in made.bars if bar.cost_krw} == {3: 120, 30: 60}
    assert made.scale == 200
    assert [bar.height for bar in made.bars if bar.cost_krw] == [36.0, 72.0], "half is half as high"
    assert [bar.day for bar in made.bars if bar.month] == [date(2026, 7, 21), date(2026, 8, 1)]
    ends = [(bar.x, bar.x + bar.width) for bar in made.bars]
    assert all(end < start for (_, end), (start, _) in pairwise(ends))
    assert ends[-1][1] < 100


@pytest.mark.parametrize(
    ("won", "scale"), [(0, 1), (1, 1), (3, 5), (10, 10), (11, 20), (999, 1000), (10**12 + 1, 2 * 10**12)]
)
def test_the_scale_ends_at_a_round_number_and_no_bar_passes_it(won: int, scale: int) -> None:
    made = chart([spent(TODAY.isoformat(), won)], TODAY)
    assert made.scale == scale
    assert 0 <= made.bars[-1].height <= made.bottom - made.top


def test_a_chart_is_drawn_without_a_script_or_a_style_and_has_its_table() -> None:
    made = chart([spent(TODAY.isoformat(), 120)], TODAY)
    v = SimpleNamespace(date=str, words=load()["en"])
    page = drawn('{% call parts.days("d", script, chart) %}<table>{{ script }}</table>{% endcall %}', chart=made, v=v)
    assert SCRIPT not in page
    assert "style=" not in page, "a content policy without 'unsafe-inline' would not show it"
    assert page.count("<rect ") == 14
    assert 'role="img" aria-label="Won on each of the last 14 days' in page
    assert "<title>2026-08-03: 120 won, 3 calls</title>" in page
    assert re.search(r"<details><summary>[^<]+</summary><table>", page)
