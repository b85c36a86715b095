"""The card with which a learner checks in and out. The rule: it shows how the day stands and only what can be done next."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from grader.records.attend import Refused
from grader.records.door import Action, at_door
from hub_config.portal.i18n import N_
from hub_config.portal.refusals import REFUSALS
from hub_config.portal.site import Visit

#: What a button says, and what is said when it was pressed.
BUTTONS: dict[Action, str] = {
    "in": N_("Check in"),
    "out": N_("Check out"),
    "away": N_("Go out"),
    "back": N_("Come back"),
}
DONE: dict[str, str] = {
    "in": N_("You are checked in."),
    "out": N_("You are checked out. See you next time."),
    "away": N_("Going out is recorded. Record coming back with the class code when you return."),
    "back": N_("Coming back is recorded."),
}
LABELS = {
    "before": N_("Class code for check-in"),
    "here": N_("Class code for check-out or going out"),
    "away": N_("Class code for coming back"),
    "gone": "",
}


def door_card(visit: Visit, session: Session, *, problem: str = "", typed: str = "") -> dict[str, Any]:
    """What the card's template stands on: the day at the door, or why there is none."""
    run = visit.run
    if run is None:
        raise LookupError("the card belongs to a course")
    try:
        door, none = at_door(session, run, visit.who.name, visit.now), ""
    except Refused as refused:
        no_training = refused.reason == "no_training_day"
        door, none = None, N_("There is no training today.") if no_training else REFUSALS[refused.reason]
    return {
        "door": door, "no_door": visit.t(none) if none else "", "typed": typed,
        "problem": visit.t(problem) if problem else "", "buttons": BUTTONS, "labels": LABELS,
    }  # fmt: skip
