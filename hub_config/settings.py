"""The product's settings: one YAML file, one model with a description per field; secrets from files.

`practicum settings` prints this reference. Relative paths count from the settings file's folder.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
from datetime import date
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from hub_config.ai_gateway.config import Alias, Budgets, Course, CoursePolicy, Limit, Price, Provider, Route
from hub_config.cluster import Cluster
from labs.manifest import Slug
from labs.texts import UserError

ENVIRONMENT = "PRACTICUM_SETTINGS"
DEFAULT_FILE = "practicum.yaml"
#: The upstream of the models that run on this machine, and the chat model that every lab may ask for.
BUILT_IN, LAB_DEFAULT = "built-in", "lab-default"


class SettingsError(UserError):
    """Settings that cannot be used; one line that names the field and what would be right."""


class Settings(BaseModel):
    """Every setting of a Practicum, with its default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: Path = Field(default=Path("var"), description="The one folder that holds all data.")
    host: str = Field(default="127.0.0.1", description="The address that the public proxy listens on.")
    port: int = Field(
        default=8000, ge=1024, le=65000,
        description="The public port. The inner services listen on loopback at port+1, +10, +20, +30 and +81.",
    )  # fmt: skip
    public_url: str | None = Field(
        default=None, pattern=r"^https?://[^/?#@\s]+$",
        description="Scheme and host under which people reach Practicum, such as `https://lab.example.kr`, where that is not "
        "`http://host:port`. Certificates carry it: set it before the first one is issued, and keep it.",
    )  # fmt: skip
    language: Literal["ko", "en"] = Field(default="ko", description="The language of the command line and of the Hub.")
    login: Literal["demo"] = Field(
        default="demo", description="How people log in. `demo`: one shared password, on loopback only."
    )
    demo_password: str = Field(
        default="practicum-demo", min_length=8, description="The shared password of the demonstration login."
    )
    spawner: Literal["bubblewrap", "quick", "kubernetes"] = Field(
        default="quick",
        description="How a person's server starts in its sandbox. `quick`: forked from a process that has imported everything, in "
        "half a second and a third of the memory; where the machine cannot hold a fork as tightly, it starts as with "
        "`bubblewrap`, and `practicum doctor` says why. `bubblewrap`: as a program of its own, in some seconds.",
    )
    kubernetes: Cluster | None = Field(
        default=None,
        description="With `spawner: kubernetes`, people's servers are pods of a cluster: image, address, namespace, home_gb, "
        "storage_class, courses_claim.",
    )
    server_memory_mb: int | None = Field(
        default=4000, ge=300, description="The memory that all processes of a person's server may take together."
    )
    server_cpus: float | None = Field(
        default=None, gt=0, description="The processors that all processes of a person's server may use; default: all."
    )
    server_processes: int = Field(
        default=500, ge=50, description="How many processes and threads a person's server may have."
    )
    server_file_mb: int = Field(
        default=10_000, ge=100, description="The largest file that a person's server may write."
    )
    server_ports: tuple[int, ...] = Field(
        default=(80, 443),
        description="The TCP ports that people's servers may call besides Practicum's own, with `quick` and Linux 6.7 or newer.",
    )
    idle_server_minutes: float | None = Field(
        default=90, gt=0,
        description="After so many minutes without use a person's server is put away, never in class; `null`: it stays.",
    )  # fmt: skip
    idle_formgrader_minutes: float | None = Field(
        default=30, gt=0, description="The same for a course's formgrader, at any time of the day."
    )
    idle_warning_minutes: float = Field(
        default=10, gt=0, description="How long before a server is put away its person is warned, and may keep it."
    )
    model: str = Field(
        default="auto",
        description="The built-in chat model (`practicum model list`); `auto`: picked at the start by the memory that is free; "
        "`none`: no chat model, when `ai_models` names another way to serve `lab-default`.",
    )
    model_threads: int | None = Field(
        default=None, ge=1,
        description="Threads of the built-in model; default: one less than the cores, since it stalls where it has to share.",
    )  # fmt: skip
    model_idle_seconds: int = Field(
        default=600, ge=1, description="After so long without a call a built-in model is put away until the next one."
    )
    max_audio_seconds: int = Field(
        default=600, ge=1, description="The longest sound that the built-in model writes down, in one file."
    )
    providers: dict[Slug, Provider] = Field(
        default={}, description="Outside OpenAI-compatible servers by name, each with base_url and api_key_file."
    )
    ai_models: dict[Alias, tuple[Route, ...]] = Field(
        default={},
        description="What serves a name that labs use, in order: upstream (a provider, or `built-in`), its own model name, "
        "endpoints, allows, prices. Names that are not here are served by the built-in models.",
    )  # fmt: skip
    ai_prices: tuple[Price, ...] = Field(
        default=(Price(effective=date(2026, 1, 1), input_krw_per_million=600, output_krw_per_million=2400),), min_length=1,
        description="What the built-in models count for, in won and by date. They cost nothing; they are priced like a small "
        "hosted model, so that learners see what their calls would cost.",
    )  # fmt: skip
    ai_budgets: Budgets = Field(
        default=Budgets(learner=Limit(krw=3000)),
        description="What may be spent by each learner in a course run, by a course and by the institution: krw, tokens, "
        "krw_per_day, tokens_per_day. A limit that the office set on its page stands above it.",
    )  # fmt: skip
    ai_courses: dict[Course, CoursePolicy] = Field(
        default={},
        description="What a course, or one of its labs, allows other than the rest: ai, models, endpoints, learner, course, "
        "keep_content, retention_days, labs.",
    )  # fmt: skip
    ai_content_days: int = Field(
        default=365, ge=1, description="Days until the prompts and answers of receipts are deleted; the receipts stay."
    )
    keep_records_years: int = Field(
        default=5, ge=1, description="Years after a learner's last course run until name and work may be deleted."
    )
    keep_looks_years: int = Field(
        default=2, ge=1, description="Years until the notes of who looked at whose record may be deleted."
    )
    max_upload_mb: int = Field(default=150, ge=1, description="The largest submission, all files together.")
    database_url: str | None = Field(
        default=None,
        description="Where the records are, if not in SQLite in the data folder: `postgresql+psycopg://user@host/name`. Its "
        "password stands in a file: `?passfile=...` at the end.",
    )
    journal_head_url: str | None = Field(
        default=None, pattern=r"^https?://\S+$",
        description="An address outside that gets each signed head of the journal by POST, so that it is kept elsewhere too.",
    )  # fmt: skip
    grading_workers: int | None = Field(default=None, ge=1, description="Submissions checked at once; default: cores.")
    portal_processes: int | None = Field(
        default=None, ge=1, le=8,
        description="The processes that answer the portal's pages; default: one for each core, two at most. Each keeps what it has "
        "read of the course runs in its own memory.",
    )  # fmt: skip

    @model_validator(mode="after")
    def _demo_only_on_loopback(self) -> Self:
        if self.login == "demo" and not is_loopback(self.host):
            raise ValueError(
                f"host: the demonstration login has one shared password, so it is refused on {self.host}; "
                "listen on 127.0.0.1 or choose another login"
            )
        return self

    @model_validator(mode="after")
    def _a_database_that_is_known(self) -> Self:
        if not self.database_url:
            return self
        try:
            url = make_url(self.database_url)
        except ArgumentError:
            raise ValueError("database_url: write it as `postgresql+psycopg://user@host/name`") from None
        if url.drivername not in ("postgresql", "postgresql+psycopg"):
            raise ValueError(
                f"database_url: {url.drivername} is not known; write `postgresql+psycopg://user@host/name`"
            )
        if url.password:
            raise ValueError("database_url: keep the password in a file and name it, `?passfile=...` at the end")
        return self

    @model_validator(mode="after")
    def _a_cluster_where_one_is_meant(self) -> Self:
        if (self.spawner == "kubernetes") != (self.kubernetes is not None):
            raise ValueError("kubernetes: say image and address there with `spawner: kubernetes`, and only then")
        return self

    @model_validator(mode="after")
    def _warned_before_it_is_over(self) -> Self:
        for name in ("idle_server_minutes", "idle_formgrader_minutes"):
            minutes = getattr(self, name)
            if minutes is not None and minutes <= self.idle_warning_minutes:
                raise ValueError(f"{name}: has to be more than idle_warning_minutes, {self.idle_warning_minutes:g}")
        return self

    @model_validator(mode="after")
    def _models_are_served(self) -> Self:
        known = {BUILT_IN, *self.providers}
        for alias, routes in self.ai_models.items():
            if not routes:
                raise ValueError(f"ai_models.{alias}: name at least one way to serve it")
            if unknown := sorted({route.upstream for route in routes} - known):
                raise ValueError(f"ai_models.{alias}: no such provider: {', '.join(unknown)}")
        if BUILT_IN in self.providers:
            raise ValueError(f"providers: `{BUILT_IN}` is the name of the built-in models")
        if self.model == "none" and LAB_DEFAULT not in self.ai_models:
            raise ValueError(f"model: `none` needs another way to serve {LAB_DEFAULT}: set providers and ai_models")
        return self

    @property
    def base_url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def hub_api_url(self) -> str:
        return f"http://127.0.0.1:{self.hub_port}/hub/api"

    @property
    def portal_url(self) -> str:
        return f"http://127.0.0.1:{self.portal_port}/services/portal"

    @property
    def records_url(self) -> str:
        return f"{self.portal_url}/api/v1"

    @property
    def gateway_url(self) -> str:
        return f"http://127.0.0.1:{self.gateway_port}"

    @property
    def inner_host(self) -> str:
        """Where the services listen that people's servers call: on loopback, unless those are on other machines."""
        return "0.0.0.0" if self.kubernetes else "127.0.0.1"  # noqa: S104

    def for_servers(self, url: str) -> str:
        """One of the services' addresses, as people's servers reach it."""
        return url.replace("127.0.0.1", self.kubernetes.address, 1) if self.kubernetes else url

    @property
    def proxy_api_port(self) -> int:
        return self.port + 1

    @property
    def portal_port(self) -> int:
        return self.port + 10

    @property
    def portal_shared(self) -> Path:
        """What the portal's processes tell each other."""
        return self.data / "run" / "portal.db"

    @property
    def gateway_port(self) -> int:
        return self.port + 20

    @property
    def model_port(self) -> int:
        return self.port + 30

    @property
    def hub_port(self) -> int:
        return self.port + 81

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.port, self.proxy_api_port, self.portal_port, self.gateway_port, self.model_port, self.hub_port)

    @property
    def records_path(self) -> Path:
        """The records in SQLite, where `database_url` names no other database."""
        return self.data / "records" / "records.db"

    @property
    def receipts_path(self) -> Path:
        """The AI gateway's database."""
        return self.data / "ai" / "gateway.db"

    @property
    def records_database(self) -> str:
        """The URL of the records' database."""
        if self.database_url is None:
            return f"sqlite:///{self.records_path}"
        return self.database_url.replace("postgresql://", "postgresql+psycopg://", 1)

    @property
    def template_socket(self) -> Path:
        """Where the template of quick servers listens, in a folder of its own."""
        return self.data / "run" / "quick" / "template.sock"

    @property
    def models_folder(self) -> Path:
        """Where weights are kept; PRACTICUM_MODELS names a folder that several installations share."""
        return Path(os.environ.get("PRACTICUM_MODELS", self.data / "models"))

    def course_root(self, course: str) -> Path:
        """nbgrader's course folder."""
        return self.data / "courses" / course

    def secret_path(self, name: str) -> Path:
        """The file of a secret, which is there from then on."""
        self.secret(name)
        return self.data / "secrets" / name

    def secret(self, name: str) -> str:
        """A secret of this installation, made at its first use and kept in a file that only its owner reads."""
        path = self.data / "secrets" / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_text("utf-8").strip()
        with os.fdopen(handle, "w") as stream:
            stream.write(secrets.token_hex(32))
        return path.read_text("utf-8").strip()


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def load_settings(path: Path | None = None, **overrides: object) -> Settings:
    """Read the settings file (given, or named by PRACTICUM_SETTINGS, or ./practicum.yaml if there is one)."""
    chosen = path or Path(os.environ.get(ENVIRONMENT, DEFAULT_FILE))
    data: dict[str, object] = {}
    if chosen.is_file():
        try:
            read = yaml.safe_load(chosen.read_text("utf-8")) or {}
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            said = f"{chosen}: {' '.join(str(error).split())}"
            raise SettingsError(f"설정 파일을 읽을 수 없습니다. {said}", said) from None
        if not isinstance(read, dict):
            raise SettingsError(
                f"{chosen}: 설정은 `이름: 값` 줄이어야 합니다.", f"{chosen}: settings are a list of `name: value` lines"
            )
        data = read
    elif path is not None or ENVIRONMENT in os.environ:
        raise SettingsError(f"{chosen}: 설정 파일이 없습니다.", f"{chosen}: no such settings file")
    data |= {name: value for name, value in overrides.items() if value is not None}
    try:
        settings = Settings.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        said = f"{chosen.name}: {'.'.join(map(str, first['loc']))} {first['msg']}"
        raise SettingsError(f"설정을 고치세요. {said}", said) from None
    base = chosen.parent.resolve()
    providers = {
        name: provider.model_copy(update={"api_key_file": provider.api_key_file and base / provider.api_key_file})
        for name, provider in settings.providers.items()
    }
    return settings.model_copy(update={"data": (base / settings.data).resolve(), "providers": providers})
