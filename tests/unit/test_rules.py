"""A programme's rules as data: old rows load, unknown and contrary settings are refused by name."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from grader.rules import EXCUSES, ExcuseKind, Rules, SelfPayBand
from labs.texts import Text

OLD = {"attendance_percent": 70, "absent_below_percent": 50, "half_day_is": "absent", "grace_minutes": 0,
       "events_per_absence": 3, "event_counter": "carry_over"}  # fmt: skip


def test_rows_of_before_still_load() -> None:
    assert Rules.model_validate({}) == Rules()
    rules = Rules.model_validate(OLD)
    assert (rules.attendance_percent, rules.half_day_is, rules.event_counter) == (70, "absent", "carry_over")
    assert rules.allowance == Rules().allowance


def test_what_is_stored_is_read_back_the_same() -> None:
    assert Rules.model_validate(Rules().model_dump(mode="json")) == Rules()
    assert Rules.model_validate_json(Rules().model_dump_json()) == Rules()


def test_one_nested_setting_alone_may_be_said() -> None:
    rules = Rules.model_validate({"allowance": {"special": {"places": {"capital": {"daily_krw": 1, "cap_krw": 2}}}}})
    assert rules.allowance.special.places.capital.cap_krw == 2
    assert rules.allowance.special.places.elsewhere == Rules().allowance.special.places.elsewhere
    assert rules.allowance.incentive == Rules().allowance.incentive


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"atendance_percent": 80}, "atendance_percent"),
        ({"attendance_percent": 101}, "attendance_percent"),
        ({"attendance_percent": 79.5}, "attendance_percent"),
        ({"dismissal": {"unit": 50}}, "dismissal.unit"),
        ({"allowance": {"incentive": {"long_day": {"daily_krw": -1, "cap_krw": 0}}}}, "daily_krw"),
        ({"official_attendance": "loses"}, "official_attendance"),
        ({"excuses": [EXCUSES[0], EXCUSES[0]]}, "'own_wedding' stands there twice"),
        ({"self_pay": []}, "self_pay"),
        ({"self_pay": [{"up_to_krw": 5, "percent": 1}]}, "only the last has none"),
        ({"self_pay": [{"up_to_krw": 5, "percent": 1}, {"up_to_krw": 4, "percent": 1}, {"percent": 1}]}, "go up"),
        ({"self_pay": [{"percent": 1}, {"percent": 1}]}, "only the last has none"),
    ],
)
def test_what_is_wrong_is_named(wrong: dict[str, object], named: str) -> None:
    with pytest.raises(ValidationError) as error:
        Rules.model_validate(wrong)
    assert named in str(error.value)


def test_a_band_of_self_pay_has_a_share_or_an_amount() -> None:
    for wrong in ({}, {"percent": 1, "amount_krw": 1}):
        with pytest.raises(ValidationError, match="either"):
            SelfPayBand.model_validate(wrong)


def test_an_excuse_is_named_as_records_name_it() -> None:
    with pytest.raises(ValidationError):
        ExcuseKind(id="본인 결혼", title=Text(ko="가", en="a"))
