"""What the gateway tells of AI use, as the pages read it. The rule: what does not fit is no answer, and never a broken page."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator

from hub_config.ai_gateway.config import Limit


def _number(mark: Any) -> Any:
    """A place of the chain: its number, told alone or before its hash."""
    return mark[0] if isinstance(mark, list) and mark else mark


class Account(BaseModel):
    """One limit, and what is spent of it."""

    account: Literal["learner", "lab", "course", "institution"]
    unit: Literal["krw", "tokens"]
    period: Literal["all", "day"]
    limit: int
    spent: int
    reserved: int
    left: int
    renews_at: AwareDatetime | None


class Budget(BaseModel):
    """What is left to somebody in a course; None: no limit."""

    ai: bool
    limit_krw: int | None
    spent_krw: int
    left_krw: int | None
    left_tokens: int | None
    renews_at: AwareDatetime | None
    accounts: list[Account]


class Held(BaseModel):
    """A limit that calls are held to, the most that anybody has spent of it, and how many have nothing left."""

    account: Literal["learner", "lab", "course", "institution"]
    lab: str
    limit: Limit
    most_spent: Limit
    used_up: int


class HeldTo(BaseModel):
    """The limits of a course, or those of all."""

    data: list[Held]


class Receipt(BaseModel):
    """One call; its prompt and answer only where they were asked for and are kept."""

    id: str
    at: AwareDatetime
    learner: str
    course: str
    lab: str
    endpoint: str
    model: str
    upstream: str
    outcome: str
    prompt_tokens: int | None
    completion_tokens: int | None
    cost_krw: int | None
    latency_ms: int | None
    prompt_sha256: str
    answer_sha256: str | None
    hash: str | None
    prompt: str | None = None
    answer: str | None = None
    answer_type: str | None = None

    @property
    def tokens(self) -> int | None:
        """The tokens of both sides; None for a call that has none."""
        if self.prompt_tokens is None and self.completion_tokens is None:
            return None
        return (self.prompt_tokens or 0) + (self.completion_tokens or 0)


class Receipts(BaseModel):
    """A page of calls, newest first."""

    data: list[Receipt]
    has_more: bool


class Spend(BaseModel):
    """What one course, learner, lab, day or model used; with a lab or an outcome where it is told by that too."""

    name: str
    lab: str = ""
    outcome: str = ""
    calls: int
    refused: int
    prompt_tokens: int
    completion_tokens: int
    cost_krw: int
    first_at: AwareDatetime | None = None
    last_at: AwareDatetime | None

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    @property
    def day(self) -> date | None:
        """The day, of a line that is one."""
        try:
            return date.fromisoformat(self.name)
        except ValueError:
            return None


class Spends(BaseModel):
    """Lines of spending, each named by what they were grouped by."""

    data: list[dict[str, Any]]


class Switch(BaseModel):
    """Whether a course may use AI, and who said so last."""

    ai: bool
    set_by: str | None
    set_at: AwareDatetime | None


class Upstream(BaseModel):
    """A server that answers calls, and how it does."""

    name: str
    state: Literal["closed", "open", "half_open"]
    running: int
    waiting: int
    failures: int
    last_error: str | None
    last_ok_at: AwareDatetime | None


class Chain(BaseModel):
    """How many receipts there are, and how far their chain is written and anchored."""

    receipts: int
    unwritten: int
    head: Annotated[int | None, BeforeValidator(_number)] = None
    anchored: Annotated[int | None, BeforeValidator(_number)] = None


class Status(BaseModel):
    """The gateway's own state."""

    version: str
    started_at: AwareDatetime
    upstreams: list[Upstream]
    ledger: Chain
