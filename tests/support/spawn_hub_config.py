"""The configuration of `spawn_hub.py`: the product's spawner or JupyterHub's own, and a token for who holds it."""

import json
import os
import sys
from pathlib import Path

from hub_config import assets, jupyterlab
from hub_config.quick.spawner import QuickSpawner
from hub_config.spawner import SandboxSpawner

c = get_config()  # type: ignore[name-defined]  # noqa: F821
given = json.loads(os.environ["PRACTICUM_SPAWN_HUB"])
data, port = Path(given["data"]), given["port"]

c.JupyterHub.bind_url = f"http://127.0.0.1:{port}"
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{port + 81}"
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{port + 1}"
c.ConfigurableHTTPProxy.command = [assets.node(), str(assets.proxy_script())]
c.JupyterHub.db_url = f"sqlite:///{data / 'hub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(data / "cookie")
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.load_roles = [
    {
        "name": "holder",
        "scopes": ["admin:users", "admin:servers", "admin:server_state", "access:servers"],
        "services": ["holder"],
    }
]
c.JupyterHub.services = [{"name": "holder", "api_token": given["token"]}]
c.JupyterHub.concurrent_spawn_limit = 100
c.Spawner.start_timeout = c.Spawner.http_timeout = 180
jupyterlab.write_configurations(data / "jupyter")
c.Spawner.default_url = "/lab"
c.Spawner.cmd = [sys.executable, "-m", "hub_config.singleuser"]
c.SandboxSpawner.homes = str(data / "homes")
c.SandboxSpawner.courses = str(data / "courses")
c.SandboxSpawner.jupyter_config = str(data / "jupyter")
c.SandboxSpawner.fonts = str(assets.fonts())
c.QuickSpawner.template = str(data / "quick" / "template.sock")
c.QuickSpawner.called_ports = [port + 81, 80, 443]
if given["spawner"] == "stock":
    c.JupyterHub.spawner_class = "simple"
    c.Spawner.cmd, c.Spawner.args = ["jupyterhub-singleuser"], ["--allow-root"]
    c.SimpleLocalProcessSpawner.home_dir_template = str(data / "homes" / "{username}")
else:
    c.JupyterHub.spawner_class = {"bubblewrap": SandboxSpawner, "quick": QuickSpawner}[given["spawner"]]

# Another command or environment for some, as a test gives them, and a note of every hook.
commands, environments = given.get("commands", {}), given.get("environments", {})


def note(event, spawner):
    with (data / "hooks.txt").open("a") as file:
        print(spawner.user.name, event, file=file)


def before(spawner):
    note("before", spawner)
    name = spawner.user.name
    if name in commands:
        spawner.cmd, spawner.args = [sys.executable, *commands[name]], []
    spawner.environment = {**spawner.environment, **environments.get(name, {})}


c.Spawner.pre_spawn_hook = before
c.Spawner.post_stop_hook = lambda spawner: note("after", spawner)
c.Spawner.poll_interval = given.get("poll_interval", 30)
c.LocalProcessSpawner.term_timeout = given.get("term_timeout", 30)
