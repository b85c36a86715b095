"""The Hub's configuration: a list of parts. What each part is stands in its module."""

import os

from hub_config import hub_look, jupyterlab
from hub_config.auth import DemoAuthenticator
from hub_config.hub import ASKED_NOTHING, roles, services
from hub_config.settings import load_settings
from hub_config.spawners import configure_spawner

c = get_config()  # type: ignore[name-defined]  # noqa: F821
settings = load_settings()

# Addresses: the proxy stands apart, so that a Hub that restarts interrupts nobody.
c.JupyterHub.bind_url = settings.base_url
c.JupyterHub.hub_bind_url = f"http://{settings.inner_host}:{settings.hub_port}"
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{settings.proxy_api_port}"
c.ConfigurableHTTPProxy.auth_token = settings.secret("proxy-token")
c.JupyterHub.cleanup_servers = False
c.JupyterHub.default_url = "/services/portal/"
c.JupyterHub.proxy_check_interval = 5

# Data, in a folder of its own that only this user reads.
c.JupyterHub.db_url = f"sqlite:///{settings.data / 'hub' / 'jupyterhub.sqlite'}"
c.JupyterHub.cookie_secret = bytes.fromhex(settings.secret("cookie-secret"))

# People: who they are, and as what they come.
c.JupyterHub.authenticator_class = DemoAuthenticator
c.DemoAuthenticator.user_password = settings.demo_password
c.DemoAuthenticator.records_database = settings.records_database
c.Authenticator.manage_groups = c.Authenticator.manage_roles = True
c.Authenticator.auth_refresh_age = 30  # seconds until a role that was given or ended holds at the Hub
c.Authenticator.allow_all = True
c.JupyterHub.load_roles = roles()
c.JupyterHub.services = services(settings)

# Pages: the Hub's own belong to the portal's.
c.JupyterHub.template_paths = [str(hub_look.PAGES)]
c.JupyterHub.template_vars = hub_look.template_vars()

# Servers: each in the sandbox. A whole class presses Open at once: so many start at a time as the machine has cores for, the
# portal's waiting page holds the others (the Hub answers them 429), and one that has to share the machine gets its time.
c.JupyterHub.concurrent_spawn_limit = max(4, 2 * (os.cpu_count() or 1))
c.Spawner.start_timeout = c.Spawner.http_timeout = 180
# Who asks for a server is answered at once, and looks again.
c.JupyterHub.tornado_settings = {
    "slow_spawn_timeout": 0,
    "oauth_no_confirm_list": ASKED_NOTHING,
    **hub_look.tornado_settings(),
}
jupyterlab.write_configurations(settings.data / "run" / "jupyter")
configure_spawner(c, settings)
c.Spawner.default_url = "/lab"
