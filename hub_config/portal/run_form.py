"""The form of a new course run: what was typed, and what is wrong with it. The rule: every problem names its field."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import date, time
from typing import Any

from pydantic import BaseModel, ValidationError

from grader.records.timetable import Closure, Hours, weekly
from hub_config.portal.i18n import N_
from hub_config.register import Register
from labs.catalog import packs
from labs.manifest import Lab

NEW = "new"
#: The longest id that also names an instructor's server and the Hub's groups, and the longest title.
LONGEST_ID, LONGEST = 40, 120
#: What would be right, by the field.
HINTS = {
    "course": N_("Choose a course, or choose to enter a new one."),
    "new_course": N_("Small letters, digits and hyphens, beginning with a letter, at most 40; and not in use yet."),
    "course_ko": N_("Write the course's title as it was approved."),
    "occupation": N_("Choose a profession."),
    "tuition_krw": N_("Whole won, without commas or signs."),
    "run": N_("Small letters, digits and hyphens, beginning with a letter, at most 40; and not in use yet."),
    "title_ko": N_("Write the title that learners see, at most 120 characters."),
    "title_en": N_("At most 120 characters on one line."),
    "programme": N_("Choose a programme: its rules decide attendance and completion."),
    "round": N_("A whole number from 1, or nothing."),
    "lang": N_("Choose a language."),
    "place": N_("Write the room or address, at most 120 characters."),
    "place_class": N_("Choose where the main training place is."),
    "starts_on": N_("Choose the first day."),
    "ends_on": N_("Choose the last day, not before the first and at most two years after it."),
    "hours": N_("Whole hours as approved, or nothing: then those of the timetable count."),
    "labs": N_("Choose labs of the list; a pass mark is a whole percentage from 0 to 100."),
    "weekdays": N_(
        "Choose the weekdays and the hours, the end after the start; or no weekday, to import the timetable later."
    ),
    "closed": N_("One day a line, such as `2026-10-09 Hangul Day`, each within the run and only once."),
}
WEEKDAYS = (N_("Mon"), N_("Tue"), N_("Wed"), N_("Thu"), N_("Fri"), N_("Sat"), N_("Sun"))
PLACES = {
    "capital": N_("Capital area (Seoul, Incheon, Gyeonggi)"), "elsewhere": N_("Elsewhere"),
    "declining": N_("Area of declining population"), "live_remote": N_("Live remote"),
}  # fmt: skip


class BadForm(Exception):
    """A form that cannot be taken; `fields` are those that are wrong."""

    def __init__(self, *fields: str) -> None:
        super().__init__(", ".join(fields))
        self.fields = fields


class RunForm(BaseModel):
    """The new run as it was typed."""

    csrf: str = ""
    do: str = ""
    course: str = ""
    new_course: str = ""
    course_ko: str = ""
    course_en: str = ""
    occupation: str = ""
    tuition_krw: str = ""
    run: str = ""
    title_ko: str = ""
    title_en: str = ""
    programme: str = ""
    round: str = ""
    lang: str = "ko"
    place: str = ""
    place_class: str = "capital"
    starts_on: str = ""
    ends_on: str = ""
    hours: str = ""
    #: For each lab of the list: its id and, after a colon, `required`, `offered` or nothing.
    lab: list[str] = []
    mark_of: list[str] = []
    mark: list[str] = []
    weekdays: list[str] = []
    starts: str = "09:00"
    ends: str = "18:00"
    closed: str = ""

    def kind(self, lab: str) -> str:
        """What was chosen for a lab."""
        chosen = dict(one.partition(":")[::2] for one in self.lab)
        return chosen.get(lab, "")

    def pass_mark(self, lab: str, otherwise: int) -> str:
        """What was typed as a lab's pass mark."""
        return dict(zip(self.mark_of, self.mark, strict=False)).get(lab, str(otherwise))


@dataclass(frozen=True)
class Planned:
    """A new run that can be made: what is entered, and its timetable (none: it is imported)."""

    register: Register
    run: str
    days: list[Hours]
    closed: list[Closure]

    @property
    def minutes(self) -> int:
        """Scheduled minutes of the timetable."""
        hours = [(day.ends.hour - day.starts.hour, day.ends.minute - day.starts.minute) for day in self.days]
        return sum(whole * 60 + rest for whole, rest in hours)


def plan(form: RunForm, institution: str) -> Planned:
    """Read the form; BadForm names every field that is wrong."""
    bad = [
        name
        for name in ("run", "title_ko", "programme", "place", "starts_on", "ends_on", "course")
        if not _line(getattr(form, name))
    ]
    bad += [
        name
        for name in ("title_en", "course_ko", "course_en")
        if getattr(form, name).strip() and not _line(getattr(form, name))
    ]
    if form.course == NEW:
        bad += [name for name in ("new_course", "course_ko", "occupation") if not getattr(form, name).strip()]
        bad += ["occupation"] if form.occupation not in packs() else []
    if bad:
        raise BadForm(*dict.fromkeys(bad))
    register = _register(form, institution)
    run = register.runs[form.run.strip()]
    if (run.ends_on - run.starts_on).days > 731:
        raise BadForm("ends_on")
    closed = _closed(form.closed, run.starts_on, run.ends_on)
    return Planned(register, form.run.strip(), _days(form, run.starts_on, run.ends_on, closed), closed)


def _register(form: RunForm, institution: str) -> Register:
    known = {lab.id: lab.lab for pack in packs().values() for lab in pack.labs}
    chosen = {lab: kind for lab, kind in (one.partition(":")[::2] for one in form.lab) if kind}
    if set(chosen) - set(known):
        raise BadForm("labs")
    try:
        return Register.model_validate(_entries(form, institution, chosen, known))
    except ValidationError as error:
        raise BadForm(*dict.fromkeys(_field(found["loc"]) for found in error.errors())) from None


def _entries(form: RunForm, institution: str, chosen: dict[str, str], known: dict[str, Lab]) -> dict[str, Any]:
    title, run = form.title_ko.strip(), form.run.strip()
    entry = {
        "title": {"ko": title, "en": form.title_en.strip() or title},
        "course": form.new_course.strip() if form.course == NEW else form.course,
        "programme": form.programme, "lang": form.lang, "place": form.place.strip(), "place_class": form.place_class,
        "starts_on": form.starts_on, "ends_on": form.ends_on, "round": form.round.strip() or None,
        "hours": form.hours.strip() or 0, "labs": chosen,
        "pass_percent": {lab: form.pass_mark(lab, known[lab].pass_percent).strip() for lab in chosen},
    }  # fmt: skip
    if form.course != NEW:
        return {"runs": {run: entry}}
    course_title = form.course_ko.strip()
    course = {
        "title": {"ko": course_title, "en": form.course_en.strip() or course_title}, "institution": institution,
        "occupation": form.occupation, "tuition_krw": form.tuition_krw.strip() or 0,
    }  # fmt: skip
    return {"courses": {form.new_course.strip(): course}, "runs": {run: entry}}


def _field(loc: tuple[int | str, ...]) -> str:
    """The form's field of a place in the register."""
    table, *rest = loc
    inner = [str(part) for part in rest[1:]]
    if not inner:
        return "ends_on"
    if inner[0] == "[key]":
        return "run" if table == "runs" else "new_course"
    if inner[0] == "title":
        return "title_ko" if table == "runs" else "course_ko"
    if inner[0] in ("labs", "pass_percent"):
        return "labs"
    return "new_course" if inner[0] == "course" else inner[0]


def _days(form: RunForm, first: date, last: date, closed: list[Closure]) -> list[Hours]:
    if not form.weekdays:
        return []
    if not set(form.weekdays) <= set("0123456"):
        raise BadForm("weekdays")
    try:
        starts, ends = time.fromisoformat(form.starts), time.fromisoformat(form.ends)
    except ValueError:
        raise BadForm("weekdays") from None
    days = weekly(first, last, {int(day) for day in form.weekdays}, starts, ends, closed)
    if ends <= starts or not days or starts.tzinfo or ends.tzinfo:
        raise BadForm("weekdays")
    return days


def _closed(text: str, first: date, last: date) -> list[Closure]:
    found: dict[date, Closure] = {}
    for line in filter(None, (line.strip() for line in text.splitlines())):
        said, _, reason = line.partition(" ")
        try:
            day = date.fromisoformat(said)
        except ValueError:
            raise BadForm("closed") from None
        if day in found or not first <= day <= last or not (reason.strip() and _line(reason)):
            raise BadForm("closed")
        found[day] = Closure(day, reason.strip())
    return list(found.values())


def _line(text: str) -> bool:
    """Whether something stands there that is one line of visible text, and not too long."""
    said = text.strip()
    return (
        bool(said)
        and len(said) <= LONGEST
        and not any(unicodedata.category(letter) in ("Cc", "Cf", "Cs") for letter in said)
    )
