"""Everything that is known of how an installation is doing. The rule: it is there within three seconds, whatever hangs."""

from __future__ import annotations

import platform
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from sqlalchemy import Engine

from grader.records.watch import Standing
from hub_config.health import faults, kept, machine, running
from hub_config.health.faults import Fault
from hub_config.health.finding import SECTIONS, Finding, Section
from hub_config.settings import Settings
from labs.texts import Text

SECONDS = 2.6
PACKAGES = ("practicum", "jupyterhub", "jupyterlab", "nbgrader", "sqlalchemy")


@dataclass(frozen=True)
class Health:
    """How an installation is doing."""

    at: datetime
    findings: tuple[Finding, ...]
    faults: tuple[Fault, ...]
    versions: tuple[tuple[str, str], ...]

    @property
    def is_well(self) -> bool:
        """Whether everything works that should."""
        return not any(finding.state == "bad" for finding in self.findings)

    def of(self, section: Section) -> list[Finding]:
        """The findings of a section."""
        return [finding for finding in self.findings if finding.section == section]


def gather(
    settings: Settings, now: datetime | None = None, *, engine: Engine | None = None, standing: Standing | None = None
) -> Health:  # fmt: skip
    """Look at everything at once; where the records cannot be read, no line of a log is shown, since it may name somebody."""
    now = now or datetime.now(UTC)
    looks: dict[Section, Callable[[], list[Finding]]] = {
        "services": lambda: running.look(settings),
        "records": lambda: kept.look(settings, now, engine, standing),
        "machine": lambda: machine.look(settings),
    }
    pool = ThreadPoolExecutor(len(looks) + 2, "health")
    begun = {section: pool.submit(look) for section, look in looks.items()}
    lines = pool.submit(lambda: faults.look(settings, lambda: kept.people(settings, engine)))
    here = pool.submit(lambda: kept.here(settings, now, engine))
    everything: list[Future[Any]] = [*begun.values(), lines, here]
    wait(everything, SECONDS)
    pool.shutdown(wait=False, cancel_futures=True)
    found = [finding for section, future in begun.items() for finding in _found(section, future)]
    found.sort(key=lambda finding: list(SECTIONS).index(finding.section))
    seen = lines.result() if lines.done() and lines.exception() is None else ()
    at = here.result() if here.done() and here.exception() is None else now
    return Health(at, tuple(found), seen, versions())


@cache
def versions() -> tuple[tuple[str, str], ...]:
    """What is installed."""
    found = [("python", platform.python_version())]
    for package in PACKAGES:
        try:
            found.append((package, version(package)))
        except PackageNotFoundError:
            found.append((package, "–"))
    return tuple(found)


def _found(section: Section, future: Future[list[Finding]]) -> list[Finding]:
    if not future.done():
        return [Finding(section, section, "bad", Text(ko="제때 답하지 않습니다.", en="does not answer in time"))]
    if (error := future.exception()) is not None:
        kind = type(error).__name__
        return [
            Finding(section, section, "bad", Text(ko=f"볼 수 없습니다({kind}).", en=f"cannot be looked at ({kind})"))
        ]
    return future.result()
