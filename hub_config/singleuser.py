"""Starts a person's JupyterLab: JupyterHub's own single-user server, without 1.7 s of grammars that nobody uses, and with patience for a Hub that starts again."""

from __future__ import annotations

import sys

# jsonschema builds the grammars of this package at import, for a format check that Jupyter does not ask for.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]


def main() -> None:
    """Run the single-user server."""
    from jupyterhub.singleuser import extension
    from jupyterhub.singleuser import main as singleuser

    from hub_config.hub_away import PatientHubOAuth

    extension.HubOAuth = PatientHubOAuth
    singleuser()


if __name__ == "__main__":
    main()
