"""Starts a person's JupyterLab: JupyterHub's own single-user server, with patience for a Hub that starts again."""

from __future__ import annotations


def main() -> None:
    """Run the single-user server."""
    from jupyterhub.singleuser import extension
    from jupyterhub.singleuser import main as singleuser

    from hub_config.hub_away import PatientHubOAuth

    extension.HubOAuth = PatientHubOAuth
    singleuser()


if __name__ == "__main__":
    main()
