"""Who may log in, and as what: people of the records, with the groups that the records give them.

A course's formgrader is an account that nobody logs in as: a Hub role for each course lets its instructors start and open it.

`DemoAuthenticator` is for demonstrations only: one password for everybody. It starts on loopback alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jupyterhub.authenticators.shared import SharedPasswordAuthenticator
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session
from traitlets import Unicode

from grader.records.db import open_database
from grader.records.models import CourseRun, Enrolment, Person, StaffRole
from grader.roles import FORMGRADER, formgrader_of
from hub_config.hub import USER_ROLE


def groups_of(session: Session, login: str) -> list[str] | None:
    """The Hub groups of a person or of a course's formgrader, or None for somebody who is not in the records."""
    if login.startswith(FORMGRADER):
        run = session.get(CourseRun, login.removeprefix(FORMGRADER))
        return [f"formgrade-{run.id}"] if run else None
    if session.get(Person, login) is None:
        return None
    courses = session.scalars(select(Enrolment.course_id).where(Enrolment.login == login))
    roles = session.scalars(select(StaffRole.group).where(StaffRole.login == login))
    return sorted({*(f"nbgrader-{course}" for course in courses), *roles})


def roles_of(groups: Iterable[str]) -> list[dict[str, Any]]:
    """The Hub roles of somebody in these groups: what everybody may, and the formgrader of each course that is taught."""
    taught = [group.removeprefix("formgrade-") for group in groups if group.startswith("formgrade-")]
    formgraders = [
        {
            "name": f"formgrader-{course}",
            "scopes": [f"access:servers!user={formgrader_of(course)}", f"servers!user={formgrader_of(course)}"],
        }
        for course in taught
    ]
    return [dict(USER_ROLE), *formgraders]


class DemoAuthenticator(SharedPasswordAuthenticator):  # type: ignore[misc]
    """One shared password for the people of the records; for demonstrations on one machine only."""

    records_database = Unicode(help="The records database's URL.").tag(config=True)
    _engine: Engine | None = None

    async def authenticate(self, handler: Any, data: dict[str, str]) -> dict[str, Any] | None:
        answer = await super().authenticate(handler, data)
        if answer is None:
            return None
        name = answer if isinstance(answer, str) else answer["name"]
        if name.startswith(FORMGRADER):
            return None
        groups = self._groups(name)
        return None if groups is None else self._model(name, groups, handler)

    async def refresh_user(self, user: Any, handler: Any = None, **_more: Any) -> dict[str, Any]:
        """Give the groups that the records give now: a role that ended ends here too, not at the next login."""
        return self._model(user.name, self._groups(user.name) or [], handler)

    def _model(self, name: str, groups: list[str], handler: Any) -> dict[str, Any]:
        if handler is not None and not name.startswith(FORMGRADER):
            for group in groups:
                if group.startswith("formgrade-"):
                    # The Hub makes the account where it does not know it yet.
                    handler.user_from_username(formgrader_of(group.removeprefix("formgrade-")))
        return {"name": name, "groups": groups, "roles": roles_of(() if name.startswith(FORMGRADER) else groups)}

    def _groups(self, name: str) -> list[str] | None:
        if self._engine is None:
            self._engine = open_database(self.records_database)
        with Session(self._engine) as session:
            return groups_of(session, name)
