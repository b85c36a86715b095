"""The gateway's settings, read from one JSON file. The rule: a setting it does not know stops it from starting."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr, StringConstraints, model_validator

from labs.manifest import Slug

Alias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$")]
Course = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
Won = Annotated[int, Field(ge=0, le=10**12)]
Feature = Literal["tools", "images", "audio"]


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Price(Settings):
    """What a model costs from a day on."""

    effective: date
    input_krw_per_million: Won = Field(description="won for a million prompt tokens")
    output_krw_per_million: Won = Field(description="won for a million answer tokens")


class Upstream(Settings):
    """A provider that speaks the OpenAI API: the built-in model, or one outside."""

    name: Slug
    base_url: HttpUrl = Field(description="up to and with /v1")
    api_key: SecretStr = SecretStr("")
    api_key_file: Path | None = Field(default=None, description="holds the key, where it is not in api_key")
    models: dict[Alias, str] = Field(min_length=1, description="the name that labs use -> the provider's name")
    allows: frozenset[Feature] = Field(default=frozenset(), description="what its models can do beyond text")
    concurrent_calls: int = Field(default=2, ge=1, description="calls sent to it at once; the others wait in turn")
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"

    def key(self) -> str:
        """Give the provider's key, read anew so that it can be changed while the gateway runs."""
        if self.api_key_file is not None:
            return self.api_key_file.read_text("utf-8").strip()
        return self.api_key.get_secret_value()


class GatewayConfig(Settings):
    """Everything the gateway is told."""

    host: str = "127.0.0.1"
    port: int = Field(default=8900, ge=0, le=65535)
    database: Path = Field(description="the SQLite file, in a folder of its own that only the gateway may read")
    hub_api_url: HttpUrl = Field(description="JupyterHub's API, such as http://127.0.0.1:8081/hub/api")
    upstreams: tuple[Upstream, ...] = Field(min_length=1)
    prices: dict[Alias, tuple[Price, ...]] = Field(description="by the name that labs use, at least one each")
    budget_krw: Won = Field(description="what each learner may spend in a course")
    course_budgets_krw: dict[Course, Won] = Field(default={}, description="the same for one course, instead")
    lab_budgets_krw: dict[Slug, Won] = Field(
        default={}, description="what a learner may spend in a lab, within the above"
    )
    institution_group: str = Field(default="institution", description="the Hub group that may read every receipt")
    max_tokens: int = Field(default=1024, ge=1, le=1_000_000, description="the longest answer, and the default")
    calls_per_learner: int = Field(default=2, ge=1, description="calls of one learner that run at once")
    waiting_per_learner: int = Field(default=16, ge=1, description="calls of one learner that may wait for their turn")
    identity_seconds: float = Field(
        default=30, ge=0, le=60, description="how long the Hub's word on a token is believed"
    )
    request_bytes: int = Field(default=1_000_000, ge=1000)
    answer_bytes: int = Field(default=4_000_000, ge=1000)
    read_seconds: float = Field(default=30, gt=0, description="for a request to arrive")
    call_seconds: float = Field(default=600, gt=0, description="for a whole call, its waiting included")
    stop_seconds: float = Field(default=5, ge=0, description="for running calls to end when the gateway stops")

    @model_validator(mode="after")
    def _each_model_once_and_priced(self) -> Self:
        aliases = [alias for upstream in self.upstreams for alias in upstream.models]
        if twice := sorted({a for a in aliases if aliases.count(a) > 1}):
            raise ValueError(f"named by more than one upstream: {', '.join(twice)}")
        if missing := sorted(a for a in aliases if not self.prices.get(a)):
            raise ValueError(f"prices: no entry for {', '.join(missing)}")
        names = [upstream.name for upstream in self.upstreams]
        if len(set(names)) < len(names):
            raise ValueError("two upstreams have the same name")
        return self

    def upstream_of(self, alias: str) -> Upstream | None:
        """Give the upstream that serves a model, or None."""
        return next((upstream for upstream in self.upstreams if alias in upstream.models), None)

    def aliases(self) -> list[str]:
        """Give the names of all models, in the order of the settings."""
        return [alias for upstream in self.upstreams for alias in upstream.models]

    def price_of(self, alias: str, day: date) -> Price:
        """Give the price in force on a day; before the first one, the first."""
        prices = sorted(self.prices[alias], key=lambda price: price.effective)
        return next((price for price in reversed(prices) if price.effective <= day), prices[0])

    def limits_krw(self, course: str, lab: str) -> dict[str, int]:
        """Give the limits that hold for a call: the course's under the empty name, and the lab's where it has one."""
        limits = {"": self.course_budgets_krw.get(course, self.budget_krw)}
        return limits | ({lab: self.lab_budgets_krw[lab]} if lab in self.lab_budgets_krw else {})


def read_config(path: Path) -> GatewayConfig:
    """Read the settings from a JSON file."""
    return GatewayConfig.model_validate_json(path.read_bytes())
