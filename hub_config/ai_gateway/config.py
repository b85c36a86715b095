"""The gateway's settings, read from one JSON file. The rule: a setting it does not know stops it from starting."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    StringConstraints,
    model_validator,
)

from labs.manifest import Slug

Alias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$")]
Course = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
Won = Annotated[int, Field(ge=0, le=10**12)]
Tokens = Annotated[int, Field(ge=0, le=10**15)]
#: `chat` means chat completions; `images` generations and edits.
Endpoint = Literal["chat", "responses", "embeddings", "transcriptions", "speech", "images"]
#: What a chat or response may hold beyond text.
Feature = Literal["tools", "images", "audio"]
NO_LAB = "-"


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("must be a time zone such as Asia/Seoul")
    return name


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Price(Settings):
    """What a model costs from a day on."""

    effective: date
    input_krw_per_million: Won = Field(default=0, description="won for a million prompt tokens")
    output_krw_per_million: Won = Field(default=0, description="won for a million answer tokens")
    krw_per_audio_minute: Won = Field(default=0, description="won for a minute of audio heard")
    krw_per_million_characters: Won = Field(default=0, description="won for a million characters spoken")
    krw_per_image: Won = Field(default=0, description="won for an image made")


class Provider(Settings):
    """A server that speaks the OpenAI API."""

    base_url: HttpUrl = Field(description="up to and with /v1")
    api_key_file: Path | None = Field(default=None, description="a file that holds its key and nothing else")
    concurrent_calls: int = Field(default=2, ge=1, description="calls sent to it at once; the others wait in turn")
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    running_usage: Literal["none", "llama.cpp", "vllm"] = Field(
        default="none", description="how its streams tell the usage so far, so that a call can be cut off and counted"
    )
    when_client_leaves: Literal["finish", "stop"] = Field(
        default="finish",
        description="`finish` reads the answer to its end for the real usage; `stop` frees the server, and without "
        "running_usage counts the whole reservation",
    )
    connect_seconds: float = Field(default=5, gt=0)
    silence_seconds: float = Field(default=120, gt=0, description="the longest wait for the next part of its answer")
    keepalive_seconds: float = Field(
        default=3, ge=0, description="how long an idle connection is used again; 0: never. Less than the server's own"
    )


class Upstream(Provider):
    """A provider under the name that routes call it by: the built-in models, or one outside."""

    name: Slug
    api_key: SecretStr = Field(default=SecretStr(""), description="the key, where it is in no file")

    def key(self) -> str:
        """Give the provider's key, read anew so that it can be changed while the gateway runs."""
        if self.api_key_file is not None:
            return self.api_key_file.read_text("utf-8").strip()
        return self.api_key.get_secret_value()


class Route(Settings):
    """One way to serve a model that labs ask for: an upstream, its own name for the model, what it can do and costs."""

    upstream: Slug
    model: str = Field(min_length=1, max_length=200)
    endpoints: frozenset[Endpoint] = frozenset({"chat"})
    allows: frozenset[Feature] = Field(default=frozenset(), description="what its chat can do beyond text")
    prices: tuple[Price, ...] = Field(min_length=1)

    def price(self, day: date) -> Price:
        """Give the price in force on a day; before the first one, the first."""
        prices = sorted(self.prices, key=lambda price: price.effective)
        return next((price for price in reversed(prices) if price.effective <= day), prices[0])


class Limit(Settings):
    """What may be spent: in all and in one day of the institution, in won and in tokens. None: no limit."""

    krw: Won | None = None
    tokens: Tokens | None = None
    krw_per_day: Won | None = None
    tokens_per_day: Tokens | None = None


class Policy(Settings):
    """What a course or a lab allows. None: as the wider policy says."""

    ai: bool | None = Field(default=None, description="false: AI is off, as for an exam")
    models: frozenset[Alias] | None = None
    endpoints: frozenset[Endpoint] | None = None
    learner: Limit | None = Field(default=None, description="what each learner may spend there")
    keep_content: bool | None = Field(default=None, description="false: receipts hold no prompt and no answer")
    retention_days: int | None = Field(default=None, ge=1, description="days until prompts and answers are deleted")


class CoursePolicy(Policy):
    """A course's policy, and its labs' where they differ from the labs' own."""

    course: Limit | None = Field(default=None, description="what the whole course may spend")
    labs: dict[Slug, Policy] = {}


class Budgets(Settings):
    """The limits that hold where no policy says otherwise; a learner's is for one course run."""

    learner: Limit = Limit()
    course: Limit = Limit()
    institution: Limit = Limit()


class Retries(Settings):
    """When an upstream counts as down."""

    failures: int = Field(default=5, ge=1, description="failed calls in a row that open the circuit breaker")
    pause_seconds: float = Field(default=20, gt=0, description="how long an open breaker lets no call through")


class GatewayConfig(Settings):
    """Everything the gateway is told."""

    host: str = "127.0.0.1"
    port: int = Field(default=8900, ge=0, le=65535)
    database: Path = Field(description="the SQLite file, in a folder of its own that only the gateway may read")
    hub_api_url: HttpUrl = Field(description="JupyterHub's API, such as http://127.0.0.1:8081/hub/api")
    institution: str = Field(
        default="institution", description="its id; the Hub group institution-<id> sees every receipt"
    )
    time_zone: Annotated[str, AfterValidator(_known_zone)] = "Asia/Seoul"
    records_url: HttpUrl | None = Field(
        default=None, description="the records service, whose journal anchors the receipts"
    )
    service_token_file: Path | None = Field(
        default=None, description="the gateway's own Hub token, for the records service"
    )
    metrics_token_file: Path | None = Field(
        default=None, description="the token that may read /metrics; none: nobody may"
    )
    upstreams: tuple[Upstream, ...] = Field(min_length=1)
    models: dict[Alias, tuple[Route, ...]] = Field(
        min_length=1, description="the name that labs use -> the ways to serve it, in order"
    )
    budgets: Budgets = Budgets()
    labs: dict[Slug, Policy] = Field(default={}, description="each lab's own policy")
    elsewhere: Policy = Field(
        default=Policy(), description="what holds outside the labs that are known: anybody may name one"
    )
    courses: dict[Course, CoursePolicy] = {}
    keep_content: bool = True
    retention_days: int = Field(default=365, ge=1)
    max_tokens: int = Field(default=1024, ge=1, le=1_000_000, description="the longest answer, and the default")
    calls_per_learner: int = Field(default=2, ge=1, description="calls of one learner that run at once")
    waiting_per_learner: int = Field(default=16, ge=1, description="calls of one learner that may wait for their turn")
    retries: Retries = Retries()
    lease_krw: int = Field(
        default=200, ge=1, description="won of a learner that are booked ahead on disk, see docs/explanation/ai.md"
    )
    lease_tokens: int = Field(default=200_000, ge=1)
    commit_seconds: float = Field(
        default=0.1, gt=0, description="how often receipts are written to the database together"
    )
    anchor_seconds: float = Field(
        default=60, gt=0, description="how often the receipts' chain is anchored in the journal"
    )
    identity_seconds: float = Field(
        default=30, ge=0, le=60, description="how long the Hub's word on a token is believed"
    )
    request_bytes: int = Field(default=1_000_000, ge=1000)
    upload_bytes: int = Field(default=25_000_000, ge=1000, description="the same for audio and images")
    answer_bytes: int = Field(default=4_000_000, ge=1000)
    media_bytes: int = Field(default=32_000_000, ge=1000, description="the same for answers that are audio or images")
    kept_bytes: int = Field(default=262_144, ge=0, description="the longest prompt or answer that a receipt keeps")
    read_seconds: float = Field(default=30, gt=0, description="for a request to arrive, and for an idle connection")
    call_seconds: float = Field(default=600, gt=0, description="for a whole call, its waiting included")
    loading_seconds: float = Field(
        default=30, ge=0, description="how long a call that is not streamed waits for a model to load"
    )
    stop_seconds: float = Field(default=30, ge=0, description="for running calls to end when the gateway stops")

    @model_validator(mode="after")
    def _upstreams_are_known_once(self) -> Self:
        names = [upstream.name for upstream in self.upstreams]
        if len(set(names)) < len(names):
            raise ValueError("upstreams: two have the same name")
        for alias, routes in self.models.items():
            if not routes:
                raise ValueError(f"models.{alias}: at least one way to serve it")
            if unknown := sorted({route.upstream for route in routes} - set(names)):
                raise ValueError(f"models.{alias}: no such upstream: {', '.join(unknown)}")
        return self

    @property
    def json_bytes(self) -> int:
        """The largest JSON request: as large as an upload where a model reads pictures or audio inside a chat."""
        media = any(route.allows & {"images", "audio"} for routes in self.models.values() for route in routes)
        return self.upload_bytes if media else self.request_bytes

    def upstream(self, name: str) -> Upstream:
        """Give an upstream by its name."""
        return next(upstream for upstream in self.upstreams if upstream.name == name)

    @property
    def institution_group(self) -> str:
        """The Hub group of the institution's office."""
        return f"institution-{self.institution}"

    @property
    def zone(self) -> ZoneInfo:
        """The institution's time zone: its days are what a daily budget counts by."""
        return _zone(self.time_zone)


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def read_config(path: Path) -> GatewayConfig:
    """Read the settings from a JSON file."""
    return GatewayConfig.model_validate_json(path.read_bytes())
