"""What the template imports: what a server loads, what a kernel loads, and what the labs' notebooks import themselves.

The rule: no module that opens anything, starts a thread, or reads the environment of its server while it is imported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from labs.catalog import pack_folders

SERVER = (
    "hub_config.singleuser", "hub_config.hub_away", "jupyter_server.serverapp", "jupyterlab.labapp", "jupyterhub.singleuser.extension",
    # The server's extensions, whoever may see them, and its pages, which it looks up by name.
    "nbgrader.server_extensions.assignment_list.handlers", "nbgrader.server_extensions.course_list.handlers",
    "nbgrader.server_extensions.formgrader.formgrader", "nbgrader.server_extensions.validate_assignment.handlers",
    "jupyter_server_terminals.app", "jupyterlab_jupytext", "notebook.app", "notebook_shim.nbserver", "hub_config.self_check", "hub_config.idle",
    "grader.nbgrader_setup", "hub_config.jupyterlab", "hub_config.kernels", "hub_config.quick.provisioner",
    *(f"jupyter_server.{name}.handlers" for name in ("files", "kernelspecs", "nbconvert", "view")),
    "jupyter_server.services.shutdown", "jinja2.ext", "tornado.platform.asyncio",
    *(f"jupyter_server.services.{name}.handlers" for name in (
        "api", "config", "contents", "events", "kernels", "kernelspecs", "nbconvert", "security", "sessions")),
    "jupyter_server.services.kernels.websocket", "jupyter_server.services.kernels.connection.channels",
)  # fmt: skip
KERNEL = (
    "ipykernel.kernelapp",
    "ipykernel.zmqshell",
    "IPython.core.completer",
    "openai.resources.chat.completions",  # what the labs call; openai itself would import it at the first call
    "ipywidgets",
    "moviepy",
    "numpy",
    "PIL.Image",
)
IMPORT = re.compile(r"^(?:from|import) ([A-Za-z_][\w.]*)", re.MULTILINE)


def lab_imports() -> Iterator[str]:
    """Every module that a lab's notebook imports."""
    for folder in pack_folders().values():
        for source in sorted(folder.glob("labs/*/lab.md")):
            yield from IMPORT.findall(source.read_text("utf-8"))
