"""Which spawner starts people's servers, and with what: the one place that knows the kinds.

The rule: the same settings give every kind; nothing else asks which one it is.
"""

from __future__ import annotations

import sys
from typing import Any

from hub_config import assets
from hub_config.cluster import Cluster
from hub_config.hub import course_languages
from hub_config.quick.spawner import QuickSpawner
from hub_config.settings import Settings
from hub_config.spawner import SandboxSpawner

LOCAL = {"bubblewrap": SandboxSpawner, "quick": QuickSpawner}


def configure_spawner(c: Any, settings: Settings) -> None:
    """Write the spawner into a Hub's configuration."""
    c.Spawner.environment = {
        "PRACTICUM_GATEWAY_URL": settings.for_servers(settings.gateway_url),
        "PRACTICUM_RECORDS_URL": settings.for_servers(settings.records_url),
    }
    c.Spawner.mem_limit = settings.server_memory_mb and settings.server_memory_mb * 1_000_000
    c.Spawner.cpu_limit = settings.server_cpus
    if settings.kubernetes:
        _in_cluster(c, settings, settings.kubernetes)
    else:
        _on_this_machine(c, settings)


def _in_cluster(c: Any, settings: Settings, cluster: Cluster) -> None:
    # An extra of the installation that only this needs.
    from hub_config import kubernetes

    c.JupyterHub.spawner_class = kubernetes.PersonPod
    c.JupyterHub.hub_connect_url = settings.for_servers(f"http://127.0.0.1:{settings.hub_port}")
    c.PersonPod.course_languages = lambda: course_languages(settings)
    kubernetes.configure(c, cluster, max_file_bytes=settings.server_file_mb * 1_000_000)


def _on_this_machine(c: Any, settings: Settings) -> None:
    c.JupyterHub.spawner_class = LOCAL[settings.spawner]
    c.Spawner.cmd = [sys.executable, "-m", "hub_config.singleuser"]
    c.Spawner.environment["PRACTICUM_FONTS"] = str(assets.fonts())
    c.SandboxSpawner.max_processes = settings.server_processes
    c.SandboxSpawner.max_file_bytes = settings.server_file_mb * 1_000_000
    c.SandboxSpawner.homes = str(settings.data / "homes")
    c.SandboxSpawner.courses = str(settings.data / "courses")
    c.SandboxSpawner.jupyter_config = str(settings.data / "run" / "jupyter")
    c.SandboxSpawner.fonts = str(assets.fonts())
    c.SandboxSpawner.course_languages = lambda: course_languages(settings)
    c.QuickSpawner.template = str(settings.template_socket)
    c.QuickSpawner.called_ports = [
        settings.hub_port,
        settings.portal_port,
        settings.gateway_port,
        *settings.server_ports,
    ]
