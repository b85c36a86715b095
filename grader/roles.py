"""Who is asking, and what they may see: judged from the Hub's answer about their token.

Roles are JupyterHub groups, named as nbgrader names them: `nbgrader-<course>` learners, `formgrade-<course>` instructors,
`institution-<institution>` its office, `programme-<programme>` those who see a programme's sums without
names, `operator` those who look after the installation and see nobody's record. The grading service is the Hub service `grader`.
"""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass
from typing import Protocol

import httpx

from labs.texts import UserError

#: The account of a course's formgrader: no person's login has a tilde.
FORMGRADER = "formgrader~"
GRADER_SERVICE, GATEWAY_SERVICE = "grader", "ai-gateway"
#: The operator's group, and the place of the operator's test calls; no course run can be called so (a dot).
OPERATOR, OPERATOR_COURSE = "operator", "operator.test"


def formgrader_of(course: str) -> str:
    """The account in whose server a course's formgrader runs."""
    return f"{FORMGRADER}{course}"


class Forbidden(UserError):
    """The caller's role does not allow this; the text says which role would."""


@dataclass(frozen=True)
class Caller:
    """A user or a service, as the Hub names it."""

    name: str
    kind: str = "user"
    groups: frozenset[str] = frozenset()

    @property
    def is_grader(self) -> bool:
        return self.kind == "service" and self.name == GRADER_SERVICE

    @property
    def is_gateway(self) -> bool:
        return self.kind == "service" and self.name == GATEWAY_SERVICE

    def is_learner(self, course: str) -> bool:
        return self.kind == "user" and f"nbgrader-{course}" in self.groups

    def is_instructor(self, course: str) -> bool:
        return self.is_grader or (self.kind == "user" and f"formgrade-{course}" in self.groups)

    def is_office(self, institution: str) -> bool:
        return self.kind == "user" and f"institution-{institution}" in self.groups

    def is_programme(self, programme: str) -> bool:
        return self.kind == "user" and f"programme-{programme}" in self.groups

    @property
    def is_author(self) -> bool:
        """Whether the caller may look at labs as their authors do: an instructor of any course, or any institution's office."""
        return self.kind == "user" and bool(self.courses("formgrade") or self.institutions())

    @property
    def is_formgrader(self) -> bool:
        """Whether it is a course's formgrader that asks, and no person."""
        return self.kind == "user" and self.name.startswith(FORMGRADER)

    @property
    def is_operator(self) -> bool:
        return self.kind == "user" and OPERATOR in self.groups

    def courses(self, role: str) -> list[str]:
        """The courses in which the caller has a role: 'nbgrader' (learner) or 'formgrade' (instructor)."""
        return sorted(g.removeprefix(f"{role}-") for g in self.groups if g.startswith(f"{role}-"))

    def institutions(self) -> list[str]:
        return sorted(g.removeprefix("institution-") for g in self.groups if g.startswith("institution-"))

    def programmes(self) -> list[str]:
        return sorted(g.removeprefix("programme-") for g in self.groups if g.startswith("programme-"))

    def must_be_office(self, institution: str) -> None:
        if not self.is_office(institution):
            raise Forbidden(
                f"{institution} 기관의 담당자만 볼 수 있습니다.",
                f"{self.name} does not belong to the office of {institution}",
            )

    def must_be_programme(self, programme: str) -> None:
        if not self.is_programme(programme):
            raise Forbidden(
                f"{programme} 사업 담당자만 볼 수 있습니다.",
                f"{self.name} is not in charge of the programme {programme}",
            )

    def must_be_author(self) -> None:
        if not self.is_author:
            raise Forbidden(
                "강사와 기관 담당자만 볼 수 있습니다.",
                f"{self.name} is neither an instructor nor of an institution's office",
            )

    def must_be_operator(self) -> None:
        if not self.is_operator:
            raise Forbidden("시스템 관리자만 볼 수 있습니다.", f"{self.name} is not an operator")

    def must_be_gateway(self) -> None:
        if not self.is_gateway:
            raise Forbidden("AI 게이트웨이만 할 수 있습니다.", "only the AI gateway may do this")

    def must_be_learner(self, course: str) -> None:
        if not self.is_learner(course):
            raise Forbidden(f"{course} 과정의 훈련생이 아닙니다.", f"{self.name} is not enrolled in {course}")

    def must_be_instructor(self, course: str) -> None:
        if not self.is_instructor(course):
            raise Forbidden(f"{course} 과정의 강사가 아닙니다.", f"{self.name} is not an instructor of {course}")

    def must_belong(self, course: str) -> None:
        if not (self.is_learner(course) or self.is_instructor(course)):
            raise Forbidden(f"{course} 과정에 속하지 않습니다.", f"{self.name} does not belong to {course}")


#: What the Hub said of a token, and until when it is believed, by the machine's monotonic clock.
Answer = tuple[float, Caller | None]


class Answers(Protocol):
    """The Hub's answers that several processes share, by the names of the tokens."""

    def get(self, name: str) -> Answer | None: ...

    def put(self, name: str, answer: Answer) -> None: ...


class HubIdentity:
    """Asks the Hub who a token belongs to; an answer is kept for a short time, so a revoked token ends soon.

    The Hub is asked again before that time is over, without anybody waiting for it, where somebody goes on using a token.
    What another process was told is taken from `shared`, and ends when it would end there.
    """

    def __init__(
        self, hub_api_url: str, *, keep_seconds: float = 30, shared: Answers | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:  # fmt: skip
        self._shared = shared
        self._client = httpx.Client(base_url=hub_api_url, timeout=10, transport=transport, trust_env=False)
        self._keep_seconds = keep_seconds
        self._known: dict[str, Answer] = {}
        self._asked_again: set[str] = set()
        self._lock = threading.Lock()

    def caller(self, token: str) -> Caller | None:
        """Give the token's owner, or None for a token that the Hub does not know."""
        try:
            return self.recall(token)
        except LookupError:
            return self._learn(token, 0.0)

    def recall(self, token: str) -> Caller | None:
        """The same without waiting for anything; LookupError where the Hub has to be asked."""
        if not token.isascii() or not token.isprintable() or not token:
            return None  # no token of the Hub, and no header either
        name = _name(token)
        with self._lock:
            until, caller = self._known.get(name, (0.0, None))
            left = until - time.monotonic()
            again = 0 < left < self._keep_seconds / 2 and name not in self._asked_again
            if again:
                self._asked_again.add(name)
        if left <= 0:
            raise LookupError("the Hub has to be asked")
        if again:
            threading.Thread(target=self._again, args=(token,), daemon=True).start()
        return caller

    def _again(self, token: str) -> None:
        try:
            self._learn(token, self._keep_seconds / 2)
        except httpx.HTTPError:
            pass  # whoever comes when the answer is too old asks, and is told
        finally:
            with self._lock:
                self._asked_again.discard(_name(token))

    def _learn(self, token: str, lasting: float) -> Caller | None:
        """Have the Hub's answer anew, or another process's that lasts for more than so many seconds."""
        name = _name(token)
        answer = self._shared.get(name) if self._shared else None
        if answer is None or answer[0] - time.monotonic() <= lasting:
            caller = self._ask(token)
            answer = time.monotonic() + self._keep_seconds, caller
            if self._shared:
                self._shared.put(name, answer)
        with self._lock:
            if len(self._known) > 10_000:
                self._known.clear()
            self._known[name] = answer
        return answer[1]

    def _ask(self, token: str) -> Caller | None:
        answer = self._client.get("/user", headers={"Authorization": f"Bearer {token}"})
        if answer.status_code in (401, 403, 404):
            return None
        answer.raise_for_status()
        model = answer.json()
        return Caller(model["name"], model.get("kind", "user"), frozenset(model.get("groups", ())))


def _name(token: str) -> str:
    """What a token is kept under: not the token itself."""
    return hashlib.sha256(token.encode()).hexdigest()
