"""What the template imports: what a server loads, what a kernel loads, and what the labs' notebooks import themselves.

The rule: no module that opens anything, starts a thread, or reads the environment of its server while it is imported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from labs.catalog import pack_folders

SERVER = (
    "hub_config.singleuser", "jupyter_server.serverapp", "jupyterlab.labapp", "jupyterhub.services.auth",
    "hub_config.kernels", "hub_config.quick.provisioner", "ipykernel.kernelapp", "openai", "ipywidgets", "moviepy",
    "numpy", "PIL.Image",
)  # fmt: skip
IMPORT = re.compile(r"^(?:from|import) ([A-Za-z_][\w.]*)", re.MULTILINE)


def lab_imports() -> Iterator[str]:
    """Every module that a lab's notebook imports."""
    for folder in pack_folders().values():
        for source in sorted(folder.glob("labs/*/lab.md")):
            yield from IMPORT.findall(source.read_text("utf-8"))
