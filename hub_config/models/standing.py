"""Asking the running model service where its models stand. The rule: where nothing runs, nothing is known, and that is no error."""

from __future__ import annotations

import httpx

from hub_config.settings import Settings

SECONDS = 2.0


def standing(settings: Settings) -> dict[str, str]:
    """Give each built-in model's state (`away`, `loading`, `ready`); nothing where the service does not run."""
    key = settings.data / "secrets" / "model-key"
    try:
        headers = {"Authorization": f"Bearer {key.read_text('utf-8').strip()}"}
        with httpx.Client(timeout=SECONDS, trust_env=False, headers=headers) as client:
            found = client.get(f"http://127.0.0.1:{settings.model_port}/v1/models").json()["data"]
            return {model["id"]: str(model.get("state", "ready")) for model in found}
    except (OSError, httpx.HTTPError, ValueError, KeyError, TypeError):
        return {}
