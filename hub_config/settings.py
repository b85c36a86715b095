"""The product's settings: one YAML file, one model with a description per field; secrets from files.

`practicum settings` prints this reference. Relative paths count from the settings file's folder.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from labs.texts import UserError

ENVIRONMENT = "PRACTICUM_SETTINGS"
DEFAULT_FILE = "practicum.yaml"


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
    language: Literal["ko", "en"] = Field(default="ko", description="The language of the command line and of the Hub.")
    login: Literal["demo"] = Field(
        default="demo", description="How people log in. `demo`: one shared password, on loopback only."
    )
    demo_password: str = Field(
        default="practicum-demo", min_length=8, description="The shared password of the demonstration login."
    )
    model: str = Field(
        default="qwen2.5-coder-1.5b",
        description="The built-in chat model (`practicum model list`), or `none` when an outside provider is set.",
    )
    model_threads: int | None = Field(
        default=None, ge=1,
        description="Threads of the built-in model; default: one less than the cores, since it stalls where it has to share.",
    )  # fmt: skip
    provider_base_url: str | None = Field(
        default=None,
        description="An outside OpenAI-compatible provider's address; it takes the built-in model's place.",
    )
    provider_api_key_file: Path | None = Field(default=None, description="A file that holds the provider's key.")
    provider_model: str = Field(default="gpt-4.1-mini", description="The provider's model behind `lab-default`.")
    ai_budget_krw: int = Field(default=3000, ge=0, description="AI budget per learner and course run, in won.")
    input_krw_per_million: int = Field(
        default=600, ge=0,
        description="What a million prompt tokens count for, in won. The built-in model costs nothing; it is priced like a "
        "small hosted one, so that learners see what their calls would cost. Set your provider's price.",
    )  # fmt: skip
    output_krw_per_million: int = Field(
        default=2400, ge=0, description="What a million answer tokens count for, in won."
    )
    max_upload_mb: int = Field(default=150, ge=1, description="The largest submission, all files together.")
    grading_workers: int | None = Field(default=None, ge=1, description="Submissions checked at once; default: cores.")

    @model_validator(mode="after")
    def _demo_only_on_loopback(self) -> Self:
        if self.login == "demo" and not is_loopback(self.host):
            raise ValueError(
                f"host: the demonstration login has one shared password, so it is refused on {self.host}; "
                "listen on 127.0.0.1 or choose another login"
            )
        return self

    @model_validator(mode="after")
    def _provider_is_whole(self) -> Self:
        if (self.provider_base_url is None) != (self.provider_api_key_file is None):
            raise ValueError("provider_base_url and provider_api_key_file belong together: set both or none")
        if self.model == "none" and self.provider_base_url is None:
            raise ValueError("model: `none` needs an outside provider: set provider_base_url and provider_api_key_file")
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
    def proxy_api_port(self) -> int:
        return self.port + 1

    @property
    def portal_port(self) -> int:
        return self.port + 10

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
        return self.data / "records" / "records.db"

    @property
    def records_database(self) -> str:
        return f"sqlite:///{self.records_path}"

    @property
    def models_folder(self) -> Path:
        """Where weights are kept; PRACTICUM_MODELS names a folder that several installations share."""
        return Path(os.environ.get("PRACTICUM_MODELS", self.data / "models"))

    def course_root(self, course: str) -> Path:
        """nbgrader's course folder."""
        return self.data / "courses" / course

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

    def provider_api_key(self) -> str | None:
        """The outside provider's key, where one is set."""
        if self.provider_api_key_file is None:
            return None
        try:
            return self.provider_api_key_file.read_text("utf-8").strip()
        except OSError as error:
            where = f"provider_api_key_file: {self.provider_api_key_file}"
            raise SettingsError(f"{where}: 읽을 수 없습니다.", f"{where}: {error.strerror}") from None


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
    return settings.model_copy(update={"data": (base / settings.data).resolve(), **_key_path(settings, base)})


def _key_path(settings: Settings, base: Path) -> dict[str, Path]:
    return {"provider_api_key_file": base / settings.provider_api_key_file} if settings.provider_api_key_file else {}
