"""The portal's settings. The rule: one that it does not know stops it from starting."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretBytes, SecretStr

from grader.idle import Patience
from hub_config.settings_shown import Shown


def utc_now() -> datetime:
    """The server's clock."""
    return datetime.now(UTC)


class PortalSettings(BaseModel):
    """Everything the portal is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prefix: str = Field(
        default="/services/portal/", pattern=r"^/([^/]+/)*$", description="where the Hub's proxy has it"
    )
    base_path: str = Field(default="/", pattern=r"^/([^/]+/)*$", description="the Hub's base URL path")
    public_url: str | None = Field(
        default=None, description="scheme and host that browsers use, where a proxy in front changes the Host header"
    )
    address: str = Field(
        default="http://127.0.0.1:8000",
        description="scheme and host that certificates carry, without a slash at its end",
    )
    hub_api_url: str = "http://127.0.0.1:8081/hub/api"
    hub_url: str = Field(default="http://127.0.0.1:8000", description="the Hub's proxy, to reach learner servers")
    oauth_client_id: str = "service-portal"
    api_token: SecretStr
    secret: SecretBytes = Field(description="the class codes' key; the keys of cookies and forms are derived from it")
    htmx_file: Path = Field(description="htmx.min.js of the npm package htmx.org")
    fonts_folder: Path = Field(description="dist/web/variable of the npm package pretendard")
    paper_fonts_folder: Path = Field(description="Pretendard's OpenType files, for certificates")
    keys_folder: Path = Field(description="the institutions' keys that sign certificates, made at first use")
    courses_folder: Path = Field(
        description="the folder of nbgrader's course folders, for the review desk, logs and comparisons"
    )
    looks_folder: Path = Field(description="the folder in which looks at records wait for the database")
    gateway_url: str | None = Field(default=None, description="the AI gateway, to show what is left of a budget")
    grade_command: tuple[str, ...] = Field(min_length=1, description="run with the course and the lab at its end")
    feedback_command: tuple[str, ...] = Field(min_length=1, description="run with the course and the lab at its end")
    similar_command: tuple[str, ...] = Field(min_length=1, description="run with the course and the lab at its end")
    release_command: tuple[str, ...] = Field(
        min_length=1, description="run with the title and the terms, the course and the assignment at its end"
    )
    prepare_command: tuple[str, ...] = Field(
        min_length=1, description="builds and hands out a run's labs; run with the course at its end"
    )
    lab_check_command: tuple[str, ...] = Field(
        default=(sys.executable, "-m", "hub_config.cli", "lab", "check", "--json", "--keep"), min_length=1,
        description="run with the folder to keep in and the lab at its end",
    )  # fmt: skip
    shown_settings: tuple[Shown, ...] = Field(
        default=(), description="the product's settings, to be looked at by an office"
    )
    idle_server_minutes: float | None = Field(
        default=None, description="after so long without use a server is put away"
    )
    idle_formgrader_minutes: float | None = Field(default=None, description="the same for a course's formgrader")
    idle_warning_minutes: float = Field(default=10, description="how long before that its person is warned")
    session_hours: int = Field(default=12, ge=1, description="after so long somebody signs in again")
    now: Callable[[], datetime] = Field(default=utc_now, exclude=True)

    def patience(self, *, is_formgrader: bool) -> Patience | None:
        """How long a server may be idle; None where it stays."""
        minutes = self.idle_formgrader_minutes if is_formgrader else self.idle_server_minutes
        warning = timedelta(minutes=self.idle_warning_minutes)
        return None if minutes is None else Patience(timedelta(minutes=minutes), warning)

    @property
    def previews_folder(self) -> Path:
        """What a learner would get of each lab, and how its reference submissions did: for authors, made by a check."""
        return self.courses_folder.parent / "previews"

    @property
    def imports_folder(self) -> Path:
        """Where an uploaded file waits for its applying: in the data folder, beside the courses."""
        return self.courses_folder.parent / "imports"
