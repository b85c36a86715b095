"""The services of a Practicum, each as a process with its settings: proxy, model, gateway, Hub, portal."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from grader.records import ai_limits
from grader.records.db import open_database, reading
from grader.records.models import Institution
from hub_config import assets
from hub_config.ai import built_in_models, gateway_config
from hub_config.ai_gateway.config import GatewayConfig, read_config
from hub_config.ai_limits import Changes, put_together, served
from hub_config.quick.join import why_not
from hub_config.settings import ENVIRONMENT, Settings
from hub_config.supervisor import Service


def all_services(settings: Settings) -> list[Service]:
    """The services in the order of their start; the Hub waits for the portal, the others for nobody."""
    env = {ENVIRONMENT: str(write_settings(settings)), "PRACTICUM_NODE_MODULES": str(assets.node_modules())}
    return [
        _proxy(settings), *_template(settings), *_model(settings), _gateway(settings), *_portal(settings, env),
        _hub(settings, env),
    ]  # fmt: skip


def addresses(settings: Settings) -> dict[str, str]:
    """Where each service answers when it is ready, in the order of their start."""
    found = {
        "proxy": f"http://127.0.0.1:{settings.proxy_api_port}/api/routes",
        "model": f"http://127.0.0.1:{settings.model_port}/health",
        "gateway": f"{settings.gateway_url}/health",
        "portal": f"{settings.portal_url}/health",
        "hub": f"{settings.hub_api_url}/health",
    }
    return {name: url for name, url in found.items() if name != "model" or built_in_models(settings)}


def forks(settings: Settings) -> bool:
    """Whether people's servers are forked from a template: it is wanted, and the machine can hold a fork tightly."""
    return settings.spawner == "quick" and why_not() is None


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
    return Service("proxy", argv, addresses(settings)["proxy"], token, 30)


def _template(settings: Settings) -> list[Service]:
    # What it imports may not come from the folder that it happens to be started in.
    argv = [sys.executable, "-P", "-m", "hub_config.quick.template", str(settings.template_socket)]
    return [Service("template", argv, ready_url="")] if forks(settings) else []


def _model(settings: Settings) -> list[Service]:
    models = built_in_models(settings)
    path = settings.data / "run" / "models.json"
    _write_private(path, models_config(settings, models))
    argv = [sys.executable, "-m", "hub_config.models.manager", str(path)]
    return [Service("model", argv, addresses(settings)["model"])] if models else []


def models_config(settings: Settings, models: tuple[str, ...]) -> dict[str, Any]:
    """Give the model service's settings, as the JSON that it reads."""
    return {
        "port": settings.model_port,
        "key_file": str(settings.secret_path("model-key")),
        "weights": str(settings.models_folder),
        "folder": str(settings.data / "run" / "models"),
        "models": models,
        "threads": settings.model_threads or max(1, (os.cpu_count() or 1) - 1),
        "idle_seconds": settings.model_idle_seconds,
        "audio_seconds": settings.max_audio_seconds,
    }


def write_gateway_settings(settings: Settings) -> Path:
    """Write the AI gateway's settings, with the limits that the office set, where it reads them."""
    path = settings.data / "run" / "gateway.json"
    institution, changes = _institution(settings)
    told = gateway_config(put_together(settings, changes), institution)
    if not _says(path, told):
        _write_private(path, told)
    return path


def hand_over(data: Path, settings: Callable[[], Settings]) -> bool:
    """Have the running gateway take over its settings as they are now; False where none runs: it reads them when it starts."""
    (data / "run").mkdir(parents=True, exist_ok=True, mode=0o700)
    with (data / "run" / "gateway.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # who reads settings and records last also writes last
        path = write_gateway_settings(settings())
    pid = path.with_suffix(".pid")  # the gateway writes it before it reads its settings
    try:
        if path.stat().st_mtime_ns > pid.stat().st_mtime_ns:
            os.kill(int(pid.read_text()), signal.SIGHUP)
    except (OSError, ValueError):
        return False
    return True


def _says(path: Path, told: dict[str, Any]) -> bool:
    """Whether a file says the same already; the order of what has none may differ."""
    try:
        return read_config(path) == GatewayConfig.model_validate(told)
    except (OSError, ValueError):
        return False


def _gateway(settings: Settings) -> Service:
    path = write_gateway_settings(settings)
    path.with_suffix(".pid").unlink(
        missing_ok=True
    )  # of a gateway that is gone: its number may be another process's by now
    argv = [sys.executable, "-m", "hub_config.ai_gateway", str(path)]
    return Service("gateway", argv, addresses(settings)["gateway"])


def _hub(settings: Settings, env: dict[str, str]) -> Service:
    config = Path(__file__).with_name("jupyterhub_config.py")
    (settings.data / "hub").mkdir(parents=True, exist_ok=True, mode=0o700)
    env = {**env, "PATH": os.pathsep.join([str(Path(sys.prefix) / "bin"), os.environ.get("PATH", "")])}
    argv = [sys.executable, "-m", "jupyterhub", "-f", str(config)]
    # It answers before it has told the proxy of itself and of the portal: people come in when the last of them is known.
    return Service("hub", argv, f"{settings.base_url}/services/portal/health", env)


def _portal(settings: Settings, env: dict[str, str]) -> list[Service]:
    """Its processes: they share an address, and whichever is free takes the next request."""
    for path in settings.portal_shared.parent.glob(f"{settings.portal_shared.name}*"):
        path.unlink()  # what processes that are gone told each other
    argv = [sys.executable, "-m", "hub_config.portal"]
    processes = settings.portal_processes or min(2, os.cpu_count() or 1)
    return [
        Service(f"portal-{number}" if number > 1 else "portal", [*argv, str(number)], addresses(settings)["portal"], env,
                listens_on=(settings.inner_host, settings.portal_port))
        for number in range(1, processes + 1)
    ]  # fmt: skip


def _institution(settings: Settings) -> tuple[Institution | None, Changes]:
    """The institution that the gateway serves, and what its office set."""
    engine = open_database(settings.records_database)
    with reading(engine) as session:
        found = served(session, settings.receipts_path)
        changes = ai_limits.newest(ai_limits.changes(session, found.id)) if found is not None else {}
        session.expunge_all()
    engine.dispose()
    return found, changes


def _write_private(path: Path, data: dict[str, Any]) -> None:
    """Write a file that only its owner reads, whole or not at all: who reads it may be running."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump(data, stream, indent=1, default=str)
    fresh.replace(path)
