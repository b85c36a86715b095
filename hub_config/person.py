"""Whose server it is, and what follows from that for its environment, however servers are started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from grader.roles import FORMGRADER


@dataclass(frozen=True)
class Person:
    """Somebody who has a server: a person, or a course's formgrader."""

    name: str
    groups: tuple[str, ...]
    #: Each course run's language.
    languages: Mapping[str, str]

    @classmethod
    def of(cls, user: Any, languages: Mapping[str, str]) -> Person:
        """Read a user of the Hub."""
        return cls(user.name, tuple(sorted(group.name for group in user.groups)), languages)

    @property
    def graded_course(self) -> str | None:
        """The course whose formgrader this is; no person's server is one."""
        return self.name.removeprefix(FORMGRADER) if self.name.startswith(FORMGRADER) else None

    @property
    def courses(self) -> list[str]:
        """The courses that somebody learns in, then those they teach; of a formgrader its course."""
        if self.graded_course:
            return [self.graded_course]
        return [g.removeprefix(role) for role in ("nbgrader-", "formgrade-") for g in self.groups if g.startswith(role)]

    @property
    def language(self) -> str:
        """The language of the first course; Korean without one."""
        return next((self.languages[course] for course in self.courses if course in self.languages), "ko")

    @property
    def configuration(self) -> str:
        """The name of the JupyterLab configuration, by role and language."""
        return f"{'instructor' if self.graded_course else 'learner'}-{self.language}"

    @property
    def home(self) -> str:
        """The home as the server sees it."""
        return f"/home/{self.name}"

    @property
    def course_root(self) -> str | None:
        """The course's folder as its formgrader sees it, which serves only what lies below the server's own root."""
        return self.graded_course and f"{self.home}/courses/{self.graded_course}"

    def environment(self, hubs: Mapping[str, str]) -> dict[str, str]:
        """What a server's environment has besides what the Hub gives it."""
        env = {"USER": self.name, "SHELL": "/bin/bash", "PRACTICUM_LANG": self.language,
               "PRACTICUM_COURSES": " ".join(self.courses)}  # fmt: skip
        if self.courses and (gateway := hubs.get("PRACTICUM_GATEWAY_URL")):
            env["OPENAI_BASE_URL"] = f"{gateway}/{self.courses[0]}/-/v1"
            env["OPENAI_API_KEY"] = hubs.get("JUPYTERHUB_API_TOKEN", "")
        if self.graded_course and self.course_root:
            env |= {"PRACTICUM_COURSE": self.graded_course, "PRACTICUM_COURSE_ROOT": self.course_root}
        return env
