"""A person's server asks the Hub who comes; while the Hub starts again it waits for it instead of turning people away.

The rule: nobody is let in without the Hub's answer.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from jupyterhub.services.auth import HubOAuth
from tornado.web import HTTPError

#: A killed Hub is back within ten seconds; who has waited for twice that is told.
PATIENCE_SECONDS, AGAIN_SECONDS = 20.0, 0.2
#: How JupyterHub's error of a Hub that is not there begins; its others have the same status.
AWAY = "Failed to connect to Hub API"


class PatientHubOAuth(HubOAuth):  # type: ignore[misc]
    """JupyterHub's own login of servers, with patience."""

    async def _api_request(self, method: str, url: str, /, **kwargs: Any) -> Any:
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return await super()._api_request(method, url, **kwargs)
            except HTTPError as error:
                if not str(error.log_message).startswith(AWAY) or time.monotonic() > until:
                    raise
            await asyncio.sleep(AGAIN_SECONDS)
