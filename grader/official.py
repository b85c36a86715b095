"""Reads a status of the national system (Work24, formerly HRD-Net) into `Official`.

The rule: words are found anywhere in the text, and a text that is not understood is an error that names it, never a guess.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import time

from grader.attendance import Event, Official, OfficialStatus
from labs.texts import UserError

#: The first that stands in the text decides. `50미만출석` and `미출석` hold the word for attended, so absences come first.
STATUSES: tuple[tuple[str, OfficialStatus, str | None], ...] = (
    ("중도탈락", "absent", None),
    ("50미만", "absent", None),
    ("미출석", "absent", None),
    ("결석", "absent", None),
    ("질병", "excused", "illness"),
    ("입원", "excused", "illness"),
    ("휴가", "excused", "holiday"),
    ("공결", "excused", None),
)
EVENTS: tuple[tuple[str, Event], ...] = (("지각", "late"), ("조퇴", "early_leave"), ("외출", "outing"))
ATTENDED = "출석"
#: Words that may turn a status into its contrary.
TURNS = ("불인정", "미인정", "취소", "무효", "정정전")
NO_TIME = ("", "0000", "00:00")


class UnknownStatus(UserError):
    """A status text of the national system that nobody has told us the meaning of."""


class UnknownTime(UserError):
    """A time of the national system that is no time."""


def read_official(text: str, check_in: str = "", check_out: str = "") -> Official:
    """Read a day's status and its times (HHMM, `0000` is none); UnknownStatus or UnknownTime names what it is not."""
    status, events, kind = _status(text)
    return Official(status, events, kind, text.strip(), _time(check_in), _time(check_out))


def _status(text: str) -> tuple[OfficialStatus, tuple[Event, ...], str | None]:
    plain = re.sub(r"\s", "", unicodedata.normalize("NFKC", text))
    if not any(turn in plain for turn in TURNS):
        for word, status, kind in STATUSES:
            if word in plain:
                return status, (), kind
        events = tuple(event for word, event in EVENTS if word in plain)
        if events or ATTENDED in plain:
            return "attended", events, None
    raise UnknownStatus(
        f"알 수 없는 출결 상태입니다: {text[:60]!r}. 출석, 결석, 지각, 조퇴, 외출, 휴가, 공결, 질병/입원 가운데 하나여야 합니다.",
        f"unknown attendance status {text[:60]!r}: it would be one of 출석, 결석, 지각, 조퇴, 외출, 휴가, 공결, 질병/입원",
    )


def _time(text: str) -> time | None:
    plain = text.strip()
    if plain in NO_TIME:
        return None
    match = re.fullmatch(r"([01][0-9]|2[0-3]):?([0-5][0-9])", plain)
    if match is None:
        raise UnknownTime(
            f"시각이 아닙니다: {text[:20]!r}. 0900처럼 시와 분 네 자리여야 합니다.",
            f"not a time: {text[:20]!r}; it would be four digits, hours and minutes, as 0900",
        )
    return time(int(match[1]), int(match[2]))
