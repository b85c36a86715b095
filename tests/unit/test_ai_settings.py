"""The gateway's settings as they come from practicum.yaml and from the labs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from grader.records.models import Institution
from hub_config.ai import ALIASES, built_in_models, gateway_config, models, with_ai_of
from hub_config.ai_gateway.config import GatewayConfig
from hub_config.ai_gateway.policy import rules
from hub_config.settings import Settings, load_settings
from labs.catalog import packs

CENTRE = Institution(id="centre", title_ko="센터", title_en="Centre", region="seoul", time_zone="Asia/Tokyo")
OUTSIDE = """
model: smollm2-135m
providers:
  openai: {base_url: "https://api.example.com/v1", api_key_file: openai.key, concurrent_calls: 16}
ai_models:
  lab-default:
    - {upstream: built-in, model: auto, prices: [{effective: 2026-01-01}]}
    - upstream: openai
      model: gpt-4.1-mini
      endpoints: [chat, responses]
      allows: [tools, images]
      prices: [{effective: 2026-01-01, input_krw_per_million: 600, output_krw_per_million: 2400}]
  lab-image:
    - {upstream: openai, model: gpt-image-1, endpoints: [images], prices: [{effective: 2026-01-01, krw_per_image: 60}]}
ai_budgets: {learner: {krw: 5000, krw_per_day: 800}, institution: {krw_per_day: 90000}}
ai_courses:
  video-1: {learner: {krw: 100}, labs: {rough-cut: {ai: false}}}
ai_content_days: 30
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("PRACTICUM_SETTINGS", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made(settings: Settings) -> GatewayConfig:
    """Read the gateway's settings as the gateway does."""
    return GatewayConfig.model_validate_json(json.dumps(gateway_config(settings, CENTRE)))


def test_without_settings_all_is_served_by_the_built_in_models(folder: Path) -> None:
    config = made(load_settings(model="smollm2-135m"))
    assert set(config.models) == set(ALIASES)
    assert [upstream.name for upstream in config.upstreams] == ["built-in"]
    assert config.models["lab-default"][0].endpoints == {"chat", "responses"}
    assert config.budgets.learner.krw == 3000
    assert (config.institution_group, config.time_zone) == ("institution-centre", "Asia/Tokyo")
    assert len(config.upstreams[0].key()) == 64


def test_each_lab_gets_what_its_lab_yaml_asks_for(folder: Path) -> None:
    config = made(load_settings(model="smollm2-135m"))
    for lab in (lab for pack in packs().values() for lab in pack.labs):
        here = rules(config, "video-1", lab.id)
        assert here.ai == bool(lab.lab.ai.endpoints), "a lab that asks for no endpoint has no AI"
        if not here.ai:
            continue
        assert here.limits.lab.krw == lab.lab.ai.budget_krw
        assert here.models is not None
        assert set(lab.lab.ai.models) <= here.models
        assert here.endpoints is not None
        assert {"chat", "responses"} <= here.endpoints
        assert "images" not in here.endpoints
    nowhere = rules(config, "video-1", "-")
    assert (nowhere.models, nowhere.endpoints) == (set(ALIASES), None)


def test_an_outside_provider_stands_behind_the_built_in_model(folder: Path) -> None:
    (folder / "practicum.yaml").write_text(OUTSIDE, "utf-8")
    (folder / "openai.key").write_text("sk-outside\n")
    settings = load_settings()
    config = made(settings)
    assert [(route.upstream, route.model) for route in config.models["lab-default"]] == [
        ("built-in", "smollm2-135m"), ("openai", "gpt-4.1-mini"),
    ]  # fmt: skip
    assert config.upstream("openai").key() == "sk-outside"
    assert config.models["lab-image"][0].prices[0].krw_per_image == 60
    assert not rules(config, "video-1", "rough-cut").ai
    assert rules(config, "video-1", "invented").models == set(ALIASES), "a dear model takes a lab that asks for it"
    assert rules(config, "video-1", "-").limits.learner.krw == 100
    assert (rules(config, "other", "-").limits.learner.krw_per_day, config.retention_days) == (800, 30)
    assert "smollm2-135m" in built_in_models(settings)


def test_no_built_in_model_is_used_where_all_is_outside(folder: Path) -> None:
    route: dict[str, Any] = {"upstream": "p", "model": "m", "prices": [{"effective": "2026-01-01"}]}
    raw = {
        "model": "none",
        "providers": {"p": {"base_url": "http://p/v1"}},
        "ai_models": {name: [route] for name in list(ALIASES)},
    }
    settings = Settings.model_validate(raw)
    assert built_in_models(settings) == ()
    assert {ways[0].upstream for ways in models(settings).values()} == {"p"}


def test_what_a_running_gateway_takes_over_is_the_ai_settings_alone(folder: Path) -> None:
    (folder / "practicum.yaml").write_text(OUTSIDE + "port: 9000\n", "utf-8")
    merged = with_ai_of(load_settings(None, port=9500, model="qwen2.5-coder-0.5b"), load_settings())
    assert (merged.port, merged.model) == (9500, "qwen2.5-coder-0.5b")
    assert merged.ai_budgets.learner.krw_per_day == 800
    assert set(merged.providers) == {"openai"}
