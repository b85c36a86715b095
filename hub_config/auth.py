"""Who may log in, and as what: people of the records, with the groups that the records give them.

`DemoAuthenticator` is for demonstrations only: one password for everybody. It starts on loopback alone.
"""

from __future__ import annotations

from typing import Any

from jupyterhub.authenticators.shared import SharedPasswordAuthenticator
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session
from traitlets import Unicode

from grader.records.db import open_database
from grader.records.models import Enrolment, Person, StaffRole


def groups_of(session: Session, login: str) -> list[str] | None:
    """The Hub groups of a person, or None for somebody who is not in the records."""
    if session.get(Person, login) is None:
        return None
    courses = session.scalars(select(Enrolment.course_id).where(Enrolment.login == login))
    roles = session.scalars(select(StaffRole.group).where(StaffRole.login == login))
    return sorted({*(f"nbgrader-{course}" for course in courses), *roles})


class DemoAuthenticator(SharedPasswordAuthenticator):  # type: ignore[misc]
    """One shared password for the people of the records; for demonstrations on one machine only."""

    records_database = Unicode(help="The records database's URL.").tag(config=True)
    _engine: Engine | None = None

    async def authenticate(self, handler: Any, data: dict[str, str]) -> dict[str, Any] | None:
        answer = await super().authenticate(handler, data)
        if answer is None:
            return None
        name = answer if isinstance(answer, str) else answer["name"]
        groups = self._groups(name)
        return None if groups is None else {"name": name, "groups": groups}

    async def refresh_user(self, user: Any, *_how: Any, **_more: Any) -> dict[str, Any]:
        """Give the groups that the records give now: a role that ended ends here too, not at the next login."""
        return {"name": user.name, "groups": self._groups(user.name) or []}

    def _groups(self, name: str) -> list[str] | None:
        if self._engine is None:
            self._engine = open_database(self.records_database)
        with Session(self._engine) as session:
            return groups_of(session, name)
