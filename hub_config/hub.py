"""The Hub's services and roles, as data for its configuration."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from grader.records.db import open_database, reading
from grader.records.models import CourseRun
from grader.roles import GATEWAY_SERVICE, GRADER_SERVICE
from hub_config.settings import Settings

PORTAL = "portal"


def services(settings: Settings) -> list[dict[str, Any]]:
    """The portal (with its login) and the grader; they run beside the Hub and outlive its restart."""
    return [
        {
            "name": PORTAL,
            "url": f"http://127.0.0.1:{settings.portal_port}",
            "api_token": settings.secret("portal-token"),
            "oauth_no_confirm": True,
            # The portal starts the learner's own server, and fetches labs and hands work in on it, as the learner.
            "oauth_client_allowed_scopes": ["access:servers!user", "servers!user"],
            "display": False,
        },
        {"name": GRADER_SERVICE, "api_token": settings.secret("grader-token")},
        {"name": GATEWAY_SERVICE, "api_token": settings.secret("gateway-token")},
    ]


def roles() -> list[dict[str, Any]]:
    """What a person and a person's server may do; nobody is an administrator."""
    return [
        {"name": "user", "scopes": ["self", f"access:services!service={PORTAL}"]},
        {"name": "server", "scopes": ["users:activity!user", "access:servers!server", "read:users:groups!user"]},
    ]


def course_languages(settings: Settings) -> dict[str, str]:
    """Each course run's language."""
    engine = open_database(settings.records_database)
    with reading(engine) as session:
        found = {run.id: run.lang for run in session.scalars(select(CourseRun))}
    engine.dispose()
    return found
