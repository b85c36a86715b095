"""What every command stands on: the settings in force, the language, and errors as one line.

The rule: what a user can mend is one sentence in the installation's language, never a traceback.
"""

from __future__ import annotations

from typing import Any

import click

from hub_config.settings import Settings, SettingsError, load_settings
from labs.manifest import ManifestError
from labs.texts import UserError


class Catching(click.Group):
    """Shows an error that a user can mend as one line, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UserError as error:
            raise click.ClickException(error.text.in_(language())) from error
        except ManifestError as error:
            raise click.ClickException(str(error)) from error


def say(ko: str, en: str) -> None:
    """Print a line in the installation's language."""
    click.echo(en if language() == "en" else ko)


def language() -> str:
    try:
        return load_settings().language
    except (SettingsError, OSError):
        return "ko"


def in_force() -> Settings:
    """The settings that the running (or last) Practicum was started with, else those of the settings file."""
    settings = load_settings()
    running = settings.data / "run" / "settings.yaml"
    return load_settings(running) if running.is_file() else settings
