"""AI limits as they are set: by the office on its page, else in the settings, else by the lab.

The rule: the office's word is in the journal and stands above the settings; the gateway gets both put together, from here alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from grader.records.ai_limits import Account
from grader.records.models import Event, Institution
from hub_config.ai import lab_policies
from hub_config.ai_gateway.config import Budgets, CoursePolicy, Limit, Policy
from hub_config.ai_gateway.ledger import owner_of
from hub_config.settings import Settings

Source = Literal["office", "settings", "lab", "default"]
Changes = Mapping[Account, Event]


@dataclass(frozen=True)
class Installation:
    """What the pages need of the installation: its settings in force, handing limits to the gateway, and where its ledger is."""

    settings: Callable[[], Settings]
    hand_over: Callable[[], bool]
    ledger: Path


@dataclass(frozen=True)
class Standing:
    """The limit of an account, who or what says so, and whether it is the one of all courses; its newest change."""

    account: Account
    limit: Limit
    source: Source
    of_all: bool = False
    event: Event | None = None


def served(session: Session, ledger: Path) -> Institution | None:
    """The institution that the gateway serves: the one whose ledger it has, and as long as there is none, the first of the records."""
    owner = owner_of(ledger)
    found = session.get(Institution, owner) if owner else None
    return found or session.scalars(select(Institution).limit(1)).first()


def set_by(event: Event) -> Limit | None:
    """The limit that a change set; None: it gave the account back to the settings."""
    told = event.payload["limit"]
    return None if told is None else Limit(**told)


def standing(account: Account, settings: Settings, changes: Changes) -> Standing:
    """Find the limit that holds for an account."""
    event = changes.get(account)
    if event is not None and (limit := set_by(event)) is not None:
        return Standing(account, limit, "office", event=event)
    if (found := _of_settings(account, settings)) is not None:
        return Standing(account, *found, event=event)
    if account.course and account.kind != "lab":
        return replace(standing(Account(account.kind), settings, changes), account=account, of_all=True, event=event)
    return Standing(account, Limit(), "default", event=event)


def put_together(settings: Settings, changes: Changes) -> Settings:
    """The settings with what the office set in the place of what they say."""
    budgets, courses = settings.ai_budgets, dict(settings.ai_courses)
    for account, event in changes.items():
        if (limit := set_by(event)) is None:
            continue
        if not account.course:
            budgets = budgets.model_copy(update={account.kind: limit})
            continue
        policy = courses.get(account.course, CoursePolicy())
        change: dict[str, object] = {account.kind: limit}
        if account.kind == "lab":
            here = policy.labs.get(account.lab, Policy()).model_copy(update={"learner": limit})
            change = {"labs": {**policy.labs, account.lab: here}}
        courses[account.course] = policy.model_copy(update=change)
    return settings.model_copy(update={"ai_budgets": budgets, "ai_courses": courses})


def _of_settings(account: Account, settings: Settings) -> tuple[Limit, Source] | None:
    policy = settings.ai_courses.get(account.course, CoursePolicy())
    if account.kind == "lab":
        if (limit := policy.labs.get(account.lab, Policy()).learner) is not None:
            return limit, "settings"
        own = lab_policies().get(account.lab, Policy()).learner
        return None if own is None else (own, "lab")
    if account.course:
        found: Limit | None = getattr(policy, account.kind)
        return None if found is None else (found, "settings")
    default: Budgets = Settings.model_fields["ai_budgets"].default
    said: Limit = getattr(settings.ai_budgets, account.kind)
    return said, "default" if said == getattr(default, account.kind) else "settings"
