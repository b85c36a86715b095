"""JupyterLab as a learner or an instructor finds it: language, panels, and nbgrader over HTTP.

Written as a Jupyter configuration folder for each role and language; the sandbox shows a server its own.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from grader import nbgrader_setup

LOCALES = {"ko": "ko_KR", "en": "en"}
#: News from outside, installing, and what looks into Python from outside: no lab needs them.
ALWAYS_OFF = (
    "@jupyterlab/apputils-extension:announcements",
    "@jupyterlab/debugger-extension",
    "@jupyterlab/extensionmanager-extension",
    *(
        f"@jupyterlab/{name}"
        for name in ("lsp-extension", "fileeditor-extension:language-server", "notebook-extension:language-server")
    ),
    "@jupyterlab/pluginmanager-extension",
    "@jupyter-notebook/lab-extension",
)
#: For people who write notebooks, not for those who work in one.
AUTHORS_ONLY = (
    *(
        f"@jupyter/nbgrader:{panel}"
        for panel in ("formgrader", "create-assignment", "course-list", "validate-assignment")
    ),
    *(f"@jupyterlab/{name}-extension" for name in ("celltags", "console", "inspector", "logconsole")),
    "@jupyterlab/tooltip-extension:consoles",
    "@jupyterlab/application-extension:property-inspector",
    "jupyterlab-jupytext",
)
#: What of JupyterLab's pages is our own.
LAB_EXTENSIONS = Path(__file__).with_name("lab")
SERVER_EXTENSIONS = ("formgrader", "course_list", "validate_assignment")


def write_configurations(folder: Path) -> None:
    """Write the configuration folders of all roles and languages."""
    for role in ("learner", "instructor"):
        for lang in LOCALES:
            _write(folder / f"{role}-{lang}", instructor=role == "instructor", lang=lang)


def configure_nbgrader(config: Any) -> None:
    """Called by nbgrader_config.py: the exchange, and for a grader the course."""
    nbgrader_setup.configure(config)
    root, course = os.environ.get("PRACTICUM_COURSE_ROOT"), os.environ.get("PRACTICUM_COURSE")
    if root and course:
        nbgrader_setup.configure_course(config, Path(root), course)


def _write(folder: Path, *, instructor: bool, lang: str) -> None:
    lab = folder / "labconfig"
    lab.mkdir(parents=True, exist_ok=True)
    off = dict.fromkeys((*ALWAYS_OFF, *(() if instructor else AUTHORS_ONLY)), True)
    overrides = {
        "@jupyterlab/translation-extension:plugin": {"locale": LOCALES[lang]},
        "@jupyterlab/apputils-extension:themes": {"adaptive-theme": True},
        "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
        "@jupyterlab/docmanager-extension:plugin": {"autosaveInterval": 20},
    }
    server = {
        "ServerApp": {
            "jpserver_extensions": {
                **{f"nbgrader.server_extensions.{name}": instructor for name in SERVER_EXTENSIONS},
                "hub_config.self_check": True,
                "hub_config.idle": True,
                # No language server is installed; looking for twenty of them takes a tenth of a second.
                "jupyter_lsp": False,
            },
            "kernel_manager_class": "hub_config.kernels.LabKernelManager",
        },
        # Who may open a server is asked at the Hub anew after so long: a role that was given or ended holds here too.
        "HubAuth": {"cache_max_age": 30},
        # Sockets in the server's own folder instead of loopback ports that a neighbour could knock at.
        "KernelManager": {"transport": "ipc"},
        "KernelProvisionerFactory": {"default_provisioner_name": "practicum"},
        "LabApp": {
            "extension_manager": "readonly",
            "news_url": None,
            "extra_labextensions_path": [str(LAB_EXTENSIONS)],
        },
    }
    (lab / "page_config.json").write_text(json.dumps({"disabledExtensions": off}, indent=1), "utf-8")
    (lab / "default_setting_overrides.json").write_text(json.dumps(overrides, indent=1), "utf-8")
    (folder / "jupyter_server_config.json").write_text(json.dumps(server, indent=1), "utf-8")
    (folder / "nbgrader_config.py").write_text(
        "from hub_config.jupyterlab import configure_nbgrader\n\nconfigure_nbgrader(get_config())  # noqa: F821\n",
        "utf-8",
    )
