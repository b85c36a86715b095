"""The services of a Practicum, each as a process with its settings: proxy, model, gateway, Hub, portal."""

from __future__ import annotations

import json
import os
import sys
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import select

from grader.records.db import open_database, reading
from grader.records.models import Institution
from hub_config import assets
from hub_config.models.catalogue import catalogue
from hub_config.settings import ENVIRONMENT, Settings
from hub_config.supervisor import Service
from labs.catalog import packs

ALIAS = "lab-default"


def all_services(settings: Settings) -> list[Service]:
    """The services in the order of their start; the Hub waits for the portal, the others for nobody."""
    env = {ENVIRONMENT: str(write_settings(settings)), "PRACTICUM_NODE_MODULES": str(assets.node_modules())}
    return [_proxy(settings), *_model(settings), _gateway(settings), _portal(settings, env), _hub(settings, env)]


def write_settings(settings: Settings) -> Path:
    """Write the settings in force where the services read them."""
    path = settings.data / "run" / "settings.yaml"
    _write_private(path, settings.model_dump(mode="json"))
    return path


def _proxy(settings: Settings) -> Service:
    argv = [
        assets.node(), str(assets.proxy_script()),
        "--ip", settings.host, "--port", str(settings.port),
        "--api-ip", "127.0.0.1", "--api-port", str(settings.proxy_api_port),
        "--error-target", f"http://127.0.0.1:{settings.hub_port}/hub/error",
        "--log-level", "warn",
    ]  # fmt: skip
    token = {"CONFIGPROXY_AUTH_TOKEN": settings.secret("proxy-token")}
    return Service("proxy", argv, f"http://127.0.0.1:{settings.proxy_api_port}/api/routes", token, 30)


def _model(settings: Settings) -> list[Service]:
    if settings.provider_base_url or settings.model == "none":
        return []
    settings.secret("model-key")
    weights = catalogue().models[settings.model]
    argv = [
        sys.executable, "-m", "hub_config.models.serve",
        "--model", str(settings.models_folder / weights.file), "--alias", settings.model,
        "--threads", str(settings.model_threads or max(1, (os.cpu_count() or 1) - 1)),
        "--port", str(settings.model_port), "--api-key-file", str(settings.data / "secrets" / "model-key"),
    ]  # fmt: skip
    return [Service("model", argv, f"http://127.0.0.1:{settings.model_port}/health", {}, 120)]


def _gateway(settings: Settings) -> Service:
    path = settings.data / "run" / "gateway.json"
    _write_private(path, gateway_config(settings))
    return Service(
        "gateway", [sys.executable, "-m", "hub_config.ai_gateway", str(path)], f"{settings.gateway_url}/health"
    )


def gateway_config(settings: Settings) -> dict[str, Any]:
    """The gateway's settings: the built-in model, or the outside provider in its place."""
    if settings.provider_base_url:
        upstream = {"name": "provider", "base_url": settings.provider_base_url, "models": {ALIAS: settings.provider_model},
                    "api_key_file": str(settings.provider_api_key_file), "concurrent_calls": 16}  # fmt: skip
    else:
        upstream = {"name": "built-in", "base_url": f"http://127.0.0.1:{settings.model_port}/v1",
                    "api_key_file": str(settings.data / "secrets" / "model-key"), "models": {ALIAS: settings.model}}  # fmt: skip
    price = {
        "effective": date(2026, 1, 1).isoformat(),
        "input_krw_per_million": settings.input_krw_per_million,
        "output_krw_per_million": settings.output_krw_per_million,
    }
    labs = [lab for pack in packs().values() for lab in pack.labs]
    return {
        "port": settings.gateway_port,
        "database": str(settings.data / "ai" / "gateway.db"),
        "hub_api_url": settings.hub_api_url,
        "upstreams": [upstream],
        "prices": {ALIAS: [price]},
        "budget_krw": settings.ai_budget_krw,
        "lab_budgets_krw": {lab.id: lab.lab.ai.budget_krw for lab in labs},
        "institution_group": f"institution-{_institution(settings)}",
    }


def _hub(settings: Settings, env: dict[str, str]) -> Service:
    config = Path(__file__).with_name("jupyterhub_config.py")
    (settings.data / "hub").mkdir(parents=True, exist_ok=True, mode=0o700)
    env = {**env, "PATH": os.pathsep.join([str(Path(sys.prefix) / "bin"), os.environ.get("PATH", "")])}
    argv = [sys.executable, "-m", "jupyterhub", "-f", str(config)]
    return Service("hub", argv, f"{settings.hub_api_url}/health", env)


def _portal(settings: Settings, env: dict[str, str]) -> Service:
    argv = [sys.executable, "-m", "hub_config.portal"]
    return Service("portal", argv, f"{settings.portal_url}/health", env)


def _institution(settings: Settings) -> str:
    engine = open_database(settings.records_database)
    with reading(engine) as session:
        found = session.scalars(select(Institution.id).limit(1)).first()
    engine.dispose()
    return found or "none"


def _write_private(path: Path, data: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump(data, stream, indent=1, default=str)
