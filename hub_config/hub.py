"""The Hub's services and roles, as data for its configuration."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from grader.records.db import open_database, reading
from grader.records.models import CourseRun
from grader.roles import FORMGRADER, GATEWAY_SERVICE, GRADER_SERVICE
from hub_config.settings import Settings

PORTAL = "portal"
#: What everybody may who has logged in.
USER_ROLE: dict[str, Any] = {"name": "user", "scopes": ["self", f"access:services!service={PORTAL}"]}


class AskedNothing(frozenset[str]):
    """Clients of the Hub's login that need no consent: the portal, and every course's formgrader, made when it may be."""

    def __contains__(self, client: object) -> bool:
        return super().__contains__(client) or str(client).startswith(f"jupyterhub-user-{FORMGRADER}")


ASKED_NOTHING = AskedNothing({f"service-{PORTAL}"})


def services(settings: Settings) -> list[dict[str, Any]]:
    """The portal (with its login) and the grader; they run beside the Hub and outlive its restart."""
    return [
        {
            "name": PORTAL,
            "url": f"http://127.0.0.1:{settings.portal_port}",
            "api_token": settings.secret("portal-token"),
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
        USER_ROLE,
        {
            "name": "server",
            # A server that nobody uses ends itself; no service may end everybody's.
            "scopes": [
                "users:activity!user",
                "access:servers!server",
                "read:users:groups!user",
                "delete:servers!server",
            ],
        },
    ]


def course_languages(settings: Settings) -> dict[str, str]:
    """Each course run's language."""
    engine = open_database(settings.records_database)
    with reading(engine) as session:
        found = {run.id: run.lang for run in session.scalars(select(CourseRun))}
    engine.dispose()
    return found
