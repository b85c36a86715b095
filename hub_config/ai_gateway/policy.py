"""What a course and a lab allow. The rule: a wider policy bounds a narrower one, and AI is off where any of them says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from hub_config.ai_gateway.config import NO_LAB, Alias, CoursePolicy, Endpoint, GatewayConfig, Limit, Policy
from hub_config.ai_gateway.ledger import Limits

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for a call in one course and lab; None allows all."""

    ai: bool
    models: frozenset[Alias] | None
    endpoints: frozenset[Endpoint] | None
    limits: Limits
    keep_content: bool
    retention_days: int


def rules(config: GatewayConfig, course: str, lab: str) -> Rules:
    """Put the policies of a course and a lab together."""
    of_course = config.courses.get(course, CoursePolicy())
    own, here = config.labs.get(lab, config.elsewhere), of_course.labs.get(lab, Policy())
    learner = here.learner or own.learner
    return Rules(
        ai=all(policy.ai is not False for policy in (of_course, own, here)),
        models=_within(of_course.models, here.models if here.models is not None else own.models),
        endpoints=_within(of_course.endpoints, here.endpoints if here.endpoints is not None else own.endpoints),
        limits=Limits(
            learner=of_course.learner or config.budgets.learner,
            lab=learner if learner and lab != NO_LAB else Limit(),
            course=of_course.course or config.budgets.course,
            institution=config.budgets.institution,
        ),
        keep_content=_first(here.keep_content, own.keep_content, of_course.keep_content, config.keep_content),
        retention_days=_first(here.retention_days, own.retention_days, of_course.retention_days, config.retention_days),
    )


def _within(wide: frozenset[T] | None, narrow: frozenset[T] | None) -> frozenset[T] | None:
    return wide & narrow if wide is not None and narrow is not None else narrow if wide is None else wide


def _first(*values: T | None) -> T:
    return next(value for value in values if value is not None)
