"""Which models an installation fetches and offers, and that its services understand one another."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub_config.ai import built_in_models
from hub_config.models import choice
from hub_config.models.choice import settled, wanted
from hub_config.models.config import ServiceConfig
from hub_config.models.standing import standing
from hub_config.services import models_config
from hub_config.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path, model="smollm2-135m", max_audio_seconds=90, model_idle_seconds=30)


def test_the_service_takes_what_the_settings_give(settings: Settings) -> None:
    config = ServiceConfig.model_validate(models_config(settings, built_in_models(settings)))
    assert config.models[0] == "smollm2-135m"
    assert set(config.models[1:]) == {"multilingual-e5-small", "whisper-base", "espeak-ng"}
    assert (config.audio_seconds, config.idle_seconds) == (90, 30)
    assert config.key_file.is_file()
    assert config.weights == settings.models_folder


def test_auto_is_settled_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    automatic = settings.model_copy(update={"model": "auto"})
    monkeypatch.setattr(choice, "picked", lambda name: {"auto": "qwen2.5-coder-0.5b"}.get(name, name))
    assert settled(automatic).model == "qwen2.5-coder-0.5b"
    assert settled(settings).model == "smollm2-135m"


def test_only_what_the_labs_ask_for_is_fetched_at_the_start(settings: Settings) -> None:
    asked = {e for pack in choice.packs().values() for lab in pack.labs for e in lab.lab.ai.endpoints}
    found = wanted(settings)
    assert found[0] == "smollm2-135m"
    assert ("whisper-base" in found) == ("transcriptions" in asked)
    assert ("multilingual-e5-small" in found) == ("embeddings" in asked)


def test_a_model_that_is_not_in_the_catalogue_is_wanted_so_that_fetching_says_so(settings: Settings) -> None:
    assert "gpt-9" in wanted(settings.model_copy(update={"model": "gpt-9"}))


def test_where_nothing_runs_nothing_is_known(settings: Settings) -> None:
    assert standing(settings) == {}
    settings.secret("model-key")
    assert standing(settings.model_copy(update={"port": 64000})) == {}
