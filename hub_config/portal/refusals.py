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
    "left_already": N_("Your enrolment has ended or your completion is decided. Ask your instructor if that is wrong."),
    "clock_went_back": N_(
        "The server's clock is behind the time of your check-in. Your check-in stands. Tell your instructor, who can enter your check-out."
    ),
    "reason_missing": N_("Write the reason for the correction."),
    "not_enrolled": N_("Choose a learner of this course."),
    "nothing_to_correct": N_("Enter a check-in time, a check-out time or an excused absence."),
    "out_before_in": N_("The check-out must be later than the check-in."),
    "not_a_time": N_("Enter times as hours and minutes, such as 09:00."),
    "deadline_reason_missing": N_("Write the reason, so that it can be understood later."),
    "not_a_due_time": N_("Enter the day and the time, such as 2026-07-10 18:00."),
    "terms_out_of_range": N_(
        "Enter whole numbers: grace 0 to 1440 minutes, 0 to 100 percent, 0 to 365 days, 0 to 1000 submissions."
    ),
    "nothing_to_extend": N_("This lab has no due time, so there is nothing to extend. Set a due time first."),
    "extension_not_later": N_("An extension must be later than the due time of the class."),
    "no_extension": N_("This extension no longer stands. Reload the page."),
}
