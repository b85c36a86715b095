"""The national system's words for a day: read where they are understood, named where they are not."""

from __future__ import annotations

import unicodedata
from datetime import time

import pytest

from grader.official import UnknownStatus, UnknownTime, read_official


@pytest.mark.parametrize(
    ("text", "status", "events", "kind"),
    [
        ("출석", "attended", (), None),
        ("결석", "absent", (), None),
        ("지각", "attended", ("late",), None),
        ("조퇴", "attended", ("early_leave",), None),
        ("외출", "attended", ("outing",), None),
        ("휴가", "excused", (), "holiday"),
        ("공결", "excused", (), None),
        ("지각&조퇴", "attended", ("late", "early_leave"), None),
        ("외출＆지각", "attended", ("late", "outing"), None),
        ("질병/입원", "excused", (), "illness"),
        ("100분의50미만출석", "absent", (), None),
        ("100분의 50 미만 출석", "absent", (), None),
        ("중도탈락미출석", "absent", (), None),
        ("미출석", "absent", (), None),
        (" 출석(정상) \n", "attended", (), None),
        (unicodedata.normalize("NFD", "출석"), "attended", (), None),
    ],
)
def test_statuses(text: str, status: str, events: tuple[str, ...], kind: str | None) -> None:
    read = read_official(text)
    assert (read.status, read.events, read.excuse_kind, read.raw) == (status, events, kind, text.strip())


@pytest.mark.parametrize("text", ["", "  ", "출 장", "present", "출석불인정", "휴가취소", "결삭", "0", "-"])
def test_an_unknown_status_is_named_and_never_guessed(text: str) -> None:
    with pytest.raises(UnknownStatus) as error:
        read_official(text)
    assert repr(text) in error.value.text.ko
    assert repr(text) in error.value.text.en


def test_times_are_hours_and_minutes_and_0000_is_none() -> None:
    read = read_official("출석", "0859", "0000")
    assert (read.check_in, read.check_out) == (time(8, 59), None)
    assert read_official("출석", "09:05", " 1800 ").check_out == time(18, 0)
    for wrong in ("2460", "2400", "9", "090000", "아홉시", "٠٩٠٠"):
        with pytest.raises(UnknownTime) as error:
            read_official("출석", wrong)
        assert repr(wrong) in error.value.text.en
