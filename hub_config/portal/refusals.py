"""What the records refuse, in words. The rule: each sentence says what to do next."""

from __future__ import annotations

from hub_config.portal.i18n import N_

REFUSALS = {
    "too_many_wrong_codes": N_("Too many wrong codes. Wait five minutes, or ask your instructor to enter it for you."),
    "no_training_day": N_("This is not a training day of the course."),
    "wrong_code": N_("The code does not match. Type the six digits that the class screen shows now."),
    "already_checked_out": N_(
        "You have already checked out today. If that is wrong, ask your instructor to correct it."
    ),
    "reason_missing": N_("Write the reason for the correction."),
    "not_enrolled": N_("Choose a learner of this course."),
    "nothing_to_correct": N_("Enter a check-in time, a check-out time or an excused absence."),
    "out_before_in": N_("The check-out must be later than the check-in."),
    "not_a_time": N_("Enter times as hours and minutes, such as 09:00."),
}
