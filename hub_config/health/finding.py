"""What was found of one part. The rule: what is not well says what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from labs.texts import Text

#: good; todo: works, and somebody should see to it; bad: does not work; off: is not there, and need not be now.
State = Literal["good", "todo", "bad", "off"]
Section = Literal["services", "queues", "records", "machine"]
SECTIONS: dict[Section, Text] = {
    "services": Text(ko="서비스", en="Services"), "queues": Text(ko="대기열과 서버", en="Queues and servers"),
    "records": Text(ko="기록과 백업", en="Records and backup"), "machine": Text(ko="장비", en="Machine"),
}  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """A part, how it is, what is said of it, and what to do where it is not well."""

    section: Section
    part: str
    state: State
    said: Text
    todo: Text | None = None
