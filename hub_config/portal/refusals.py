"""What the records refuse, in words. The rule: each sentence says what to do next."""

from __future__ import annotations

from hub_config.portal.i18n import N_, load
from labs.texts import Text

REFUSALS = {
    "too_many_wrong_codes": N_("Too many wrong codes. Wait five minutes, or ask your instructor to enter it for you."),
    "no_training_day": N_("This is not a training day of the course."),
    "wrong_code": N_("The code does not match. Type the six digits that the class screen shows now."),
    "code_used": N_("You have used this code already. Wait for the next one on the class screen."),
    "code_over": N_(
        "That code has changed while you were on the way. Scan the class screen again, or type the code it shows now."
    ),
    "not_on_roster": N_("You are not on the roster of this course. Ask your institution."),
    "no_such_action": N_("Choose what to record: check in, check out, going out or coming back."),
    "not_checked_in": N_("You have not checked in today. Check in first."),
    "already_checked_in": N_("You have already checked in today."),
    "already_away": N_("You are already out. Record coming back when you return."),
    "not_away": N_("No outing is recorded that you could come back from."),
    "still_away": N_("You are recorded as out. Record coming back first; with the next code you can check out."),
    "already_checked_out": N_(
        "You have already checked out today. If that is wrong, ask your instructor to correct it."
    ),
    "left_already": N_("Your enrolment has ended or your completion is decided. Ask your instructor if that is wrong."),
    "reason_missing": N_("Write the reason for the correction."),
    "not_enrolled": N_("Choose a learner of this course."),
    "nothing_to_correct": N_("Enter a check-in time, a check-out time, outings or an excused absence."),
    "back_before_out": N_("An outing must end after it began."),
    "not_outings": N_("Enter outings as times, such as 11:00-11:40, 15:00-15:20."),
    "no_such_excuse": N_("Choose a kind of excuse from the list."),
    "own_attendance": N_("Nobody corrects their own attendance. Ask another instructor or the institution."),
    "correction_too_late": N_(
        "The time in which an instructor may correct this day is over. Only the institution's office can record it now."
    ),
    "request_open": N_("A request for this day is waiting for its answer already."),
    "too_many_requests": N_("There were many requests for this day already. Talk to your instructor."),
    "no_request": N_("There is no such request. Reload the page."),
    "request_answered": N_("This request has been answered already. Reload the page."),
    "refusal_reason_missing": N_("Write the reason for refusing; the learner reads it."),
    "out_before_in": N_("The check-out must be later than the check-in."),
    "not_a_time": N_("Enter times as hours and minutes, such as 09:00."),
    "deadline_reason_missing": N_("Write the reason, so that it can be understood later."),
    "not_a_due_time": N_("Enter the day and the time, such as 2026-07-10 18:00."),
    "terms_out_of_range": N_(
        "Enter whole numbers: grace 0 to 1440 minutes, 0 to 100 percent, 0 to 365 days, 0 to 1000 submissions."
    ),
    "nothing_to_extend": N_("This lab has no due time, so there is nothing to extend. Set a due time first."),
    "extension_not_later": N_("An extension must be later than the due time of the class."),
    "announcement_empty": N_("Write what the class should know."),
    "announcement_too_long": N_("An announcement has at most 2,000 characters."),
    "announcement_never_shown": N_("The end must be later than the start and later than now."),
    "too_many_announcements": N_("Five announcements stand or are still to come. Withdraw one first."),
    "no_announcement": N_("This announcement no longer stands. Reload the page."),
    "no_extension": N_("This extension no longer stands. Reload the page."),
}


def refusal_text(reason: str) -> Text:
    """A refusal in both languages, as the pages say it."""
    words, message = load(), REFUSALS[reason]
    return Text(ko=words["ko"].gettext(message), en=words["en"].gettext(message))
