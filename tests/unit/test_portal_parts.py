"""The parts that all pages share: what they say to whoever cannot see them, and that numbers stand as numbers."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from hub_config.portal import site
from hub_config.portal.i18n import load

SCRIPT = "<script>alert(1)</script>"


def drawn(body: str, **values: object) -> str:
    environment = site._environment(load()["en"])
    template = environment.from_string('{% import "_parts.html" as parts with context %}' + body)
    return template.render(v=SimpleNamespace(), script=SCRIPT, **values)


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
def test_bars_have_every_number_beside_them_and_no_series_by_colour_alone(most: int) -> None:
    rows = [("월", (100, 50)), (SCRIPT, (1000 if not most else 20, 0))]
    page = drawn('{{ parts.bars("c", "Calls", ["Day", "Own", "Others"], rows, most) }}', rows=rows, most=most)
    assert SCRIPT not in page
    assert "style=" not in page, "a content policy without 'unsafe-inline' would not show it"
    assert [f'id="c-{n}"' in page for n in (1, 2, 3)] == [True] * 3
    assert ">100<" in page
    assert ">50<" in page
    widths = [float(width) for width in re.findall(r'width="([\d.]+)%"', page)]
    assert widths == ([50.0, 25.0, 10.0, 0.0] if most else [0.0] * 4)
    assert '<rect x="50.00%"' in page or not most, "the second series begins where the first ends"
