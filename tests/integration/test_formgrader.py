"""A course's formgrader on a real Hub: started when asked for, shared by the course's instructors and nobody else, and put away."""

from __future__ import annotations

from pathlib import Path

import pytest
from real_hub import RealHub, make_run, real_hub, until

from grader.records.db import writing
from grader.records.models import Person, StaffRole
from grader.roles import formgrader_of

COURSE = formgrader_of("course-a")
PAGE = f"/user/{COURSE}/formgrader/manage_assignments"
#: What the Hub says of a server, and a server of itself, to whom it is not shared with.
REFUSED = (403, 404)


def opens(hub: RealHub, login: str, page: str = PAGE) -> bool:
    answer = hub.ask(login, "GET", page)
    return answer.status_code == 200 and "nbgrader" in answer.text


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_formgrader_is_its_instructors(tmp_path: Path) -> None:
    data = tmp_path / "var"
    with real_hub(data, idle_formgrader_minutes=1.5, idle_warning_minutes=0.5) as hub:
        for course in ("course-a", "course-b", "course-c"):
            (data / "courses" / course).mkdir()
        make_run(hub.engine, "course-a", learners=["ann"], staff=["eve", "dan"], now=True)
        make_run(hub.engine, "course-b", staff=["far"], now=False)
        for login in ("ann", "far", "dan", "eve"):
            hub.token(login)
        assert (
            hub.ask(None, "POST", "/hub/login", data={"username": COURSE, "password": "practicum-demo"}).status_code
            == 403
        )

        for login in ("ann", "far"):
            assert hub.ask(login, "POST", f"/hub/api/users/{COURSE}/server").status_code in REFUSED
        hub.start("eve", COURSE)
        assert opens(hub, "eve")
        assert opens(hub, "dan"), "one server for all of the course's instructors"
        assert hub.runs("dan", COURSE)
        for login in ("ann", "far"):
            for path in (PAGE, f"/user/{COURSE}/api/contents", f"/user/{COURSE}/lab"):
                assert hub.ask(login, "GET", path).status_code in REFUSED, (login, path)
            assert hub.ask(login, "DELETE", f"/hub/api/users/{COURSE}/server").status_code in REFUSED
        # In a course's name, and for nothing else.
        assert hub.ask("eve", "POST", f"/hub/api/users/{formgrader_of('course-b')}/server").status_code in REFUSED
        assert hub.ask("eve", "POST", "/hub/api/users/ann/server").status_code in REFUSED

        # What changes while the Hub runs, holds soon.
        with writing(hub.engine) as session:
            session.delete(session.get_one(StaffRole, ("dan", "formgrade-course-a")))
            session.add(Person(login="new", name="new"))
            session.flush()
            session.add(StaffRole(login="new", group="formgrade-course-a"))
        assert opens(hub, "new")
        until(lambda: not opens(hub, "dan"), 90)
        make_run(hub.engine, "course-c", now=False)
        with writing(hub.engine) as session:
            session.add(StaffRole(login="eve", group="formgrade-course-c"))
        until(lambda: hub.ask("eve", "GET", f"/hub/api/users/{formgrader_of('course-c')}").status_code == 200, 90)

        # The class goes on, and nobody has used it.
        until(lambda: hub.is_off("eve", COURSE), 180)
        assert "is put away" in (data / "logs" / f"server-{COURSE}.log").read_text()
