"""`practicum doctor`: shows how an installation is doing in a terminal, or as JSON. The rule: what it shows is gathered in `health`."""

from __future__ import annotations

import json
from collections.abc import Iterator

from hub_config.health.finding import SECTIONS, State
from hub_config.health.gather import Health
from labs.texts import Text

MARKS: dict[State, str] = {"good": "✔", "todo": "!", "bad": "✘", "off": "-"}
FAULTS = Text(ko="최근 오류", en="Errors of late")


def lines(health: Health, lang: str) -> Iterator[str]:
    """The lines of a terminal."""
    for section, title in SECTIONS.items():
        if found := health.of(section):
            yield f"{title.in_(lang)}"
        for finding in found:
            yield f"{MARKS[finding.state]} {finding.part:10} {finding.said.in_(lang)}"
            if finding.todo is not None:
                yield f"  {'':10} → {finding.todo.in_(lang)}"
    if health.faults:
        yield FAULTS.in_(lang)
    for fault in health.faults:
        yield f"  {fault.service:10} {fault.said}{f' ×{fault.count}' if fault.count > 1 else ''}"
    yield ", ".join(f"{name} {number}" for name, number in health.versions)


def as_json(health: Health) -> str:
    """The same as one JSON object."""
    findings = [
        {
            "section": finding.section, "part": finding.part, "state": finding.state,
            "said": {"ko": finding.said.ko, "en": finding.said.en},
            "todo": None if finding.todo is None else {"ko": finding.todo.ko, "en": finding.todo.en},
        }
        for finding in health.findings
    ]  # fmt: skip
    errors = [{"service": fault.service, "said": fault.said, "count": fault.count} for fault in health.faults]
    told = {
        "ok": health.is_well,
        "at": health.at.isoformat(),
        "findings": findings,
        "errors": errors,
        "versions": dict(health.versions),
    }
    return json.dumps(told, ensure_ascii=False)
