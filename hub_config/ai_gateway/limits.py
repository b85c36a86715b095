"""The limits in force, for the institution's office, and how far they are used. The rule: what is told is what calls are held to; nobody's name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hub_config.ai_gateway.config import NO_LAB, CoursePolicy, Limit
from hub_config.ai_gateway.gateway import Gateway
from hub_config.ai_gateway.ledger.terms import AccountName
from hub_config.ai_gateway.policy import rules


def limits(gateway: Gateway, course: str) -> list[dict[str, Any]]:
    """Give the limits of a course and its labs, or without one those that hold for all."""
    return [_line(gateway, account, course, lab, limit) for account, lab, limit in _in_force(gateway, course)]


def _in_force(gateway: Gateway, course: str) -> Iterator[tuple[AccountName, str, Limit]]:
    config = gateway.config
    here = rules(config, course, NO_LAB).limits
    yield "institution", "", here.institution
    yield "course", "", here.course
    yield "learner", "", here.learner
    if course:
        for lab in dict.fromkeys((*config.labs, *config.courses.get(course, CoursePolicy()).labs)):
            yield "lab", lab, rules(config, course, lab).limits.lab


def _line(gateway: Gateway, account: AccountName, course: str, lab: str, limit: Limit) -> dict[str, Any]:
    use = gateway.ledger.use(account, "" if account == "institution" else course, lab, limit)
    told = {"account": account, "lab": lab, "limit": limit.model_dump()}
    return {**told, "most_spent": use.most.model_dump(), "used_up": use.used_up}
