"""The unit statement: each unit period's days, events and what is credited (rules 5-7), and what is estimated to be paid.

The rule: an amount is never without its derivation and never without the word estimate (rules 11-13).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from grader.allowance import DISCLAIMER, AllowanceEstimate, UnitAllowance
from grader.records.state import LearnerState
from grader.reports.course import Class, facts_of
from grader.reports.table import Cell, Report, Table, columns, percent_of, total
from labs.texts import Text

_COLUMNS = columns(
    ("번호", "No.", "count", 5), ("이름", "Name", "text", 12), ("아이디", "Login", "text", 12), ("단위기간", "Unit", "count", 7),
    ("시작", "From", "date", 12), ("종료", "To", "date", 12), ("훈련일", "Days", "count", 7), ("출석", "Attended", "count", 7),
    ("공가", "Excused", "count", 7), ("지각·조퇴·외출", "Events", "count", 10), ("환산 결석", "Absences of events", "count", 9),
    ("인정 일수", "Credited", "count", 8), ("출석률", "Attendance", "percent", 8),
)  # fmt: skip
_PAID = columns(
    ("번호", "No.", "count", 5), ("이름", "Name", "text", 12), ("아이디", "Login", "text", 12), ("단위기간", "Unit", "count", 7),
    ("시작", "From", "date", 12), ("종료", "To", "date", 12), ("훈련장려금\n예상액(원)", "Training incentive,\nestimate (won)", "krw", 13),
    ("특별훈련수당\n예상액(원)", "Special allowance,\nestimate (won)", "krw", 13), ("합계\n예상액(원)", "Sum,\nestimate (won)", "krw", 13),
    ("산출 근거", "Derivation", "text", 70),
)  # fmt: skip


def unit_statement(room: Class, unit: date | None = None) -> Report:
    """Everybody's unit periods, or one of them by its first day; with the amounts where the room has them."""
    rows = tuple(row for number, learner in enumerate(room.learners, 1) for row in _rows(number, learner, unit))
    paid = () if room.allowances is None else (_paid(room, room.allowances, unit),)
    return Report(
        title=Text(ko="단위기간 정산표", en="Unit statement"), facts=facts_of(room), tables=(Table(_COLUMNS, rows), *paid),
        notes=(*([DISCLAIMER] if paid else []),
               Text(ko="지각·조퇴·외출은 세 번이 결석 하루로 환산됩니다(사업 규칙의 설정). 출석률은 올림하지 않습니다.",
                    en="Events count as absences by the programme's rules, three for one unless they say otherwise. Attendance is never rounded up."),),
        name="units", landscape=True,
    )  # fmt: skip


def _rows(number: int, learner: LearnerState, only: date | None) -> Iterator[tuple[Cell, ...]]:
    for place, unit in enumerate(learner.attendance.units, 1):
        if only in (None, unit.starts):
            yield (
                number, learner.name, learner.login, place, unit.starts, unit.ends, unit.days, unit.attended, unit.excused,
                unit.events, unit.absences_from_events, unit.credited, percent_of(unit.credited, unit.days),
            )  # fmt: skip


def _paid(room: Class, allowances: Mapping[str, AllowanceEstimate], only: date | None) -> Table:
    rows = tuple(
        (number, learner.name, learner.login, place, paid.unit.starts, paid.unit.ends, *_amounts(paid))
        for number, learner in enumerate(room.learners, 1)
        for place, paid in enumerate(allowances[learner.login].units, 1) if only in (None, paid.unit.starts)
    )  # fmt: skip
    sums: tuple[Cell, ...] = (
        None,
        Text(ko="합계", en="Total"),
        None,
        None,
        None,
        None,
        *(total(rows, at) for at in (6, 7, 8)),
        None,
    )
    return Table(_PAID, rows, sums, Text(ko="훈련장려금 예상액", en="Allowance (estimate)"))


def _amounts(paid: UnitAllowance) -> tuple[Cell, ...]:
    amounts = {part.id: part.amount_krw for part in paid.parts}
    return amounts.get("incentive", 0), amounts.get("special", 0), paid.estimate_krw, _derivation(paid)


def _derivation(paid: UnitAllowance) -> Text:
    """How the amounts come about, or why nothing is paid; a unit that is not over says so first."""
    said = [*(part.derivation for part in paid.parts), *(_refused(why) for why in paid.refused)]
    if not paid.final_days:
        ahead = paid.unit.days_ahead
        said.insert(
            0,
            Text(
                ko=f"지금까지의 예상액(남은 훈련일 {ahead}일)", en=f"estimate of the days so far ({ahead} still ahead)"
            ),
        )
    return Text(ko="\n".join(text.ko for text in said), en="\n".join(text.en for text in said))


def _refused(why: Text) -> Text:
    return Text(ko=f"{why.ko} → 예상액 0원", en=f"{why.en} → estimate 0 won")
