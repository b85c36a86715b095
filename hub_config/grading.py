"""Making a process the grader: light, because every grading run begins with it."""

from __future__ import annotations

import os

from hub_config import assets
from hub_config.settings import Settings


def become_grader(settings: Settings) -> None:
    """Let this process grade: nbgrader's exchange speaks to the records service as the grader, and checks find the fonts."""
    os.environ["PRACTICUM_RECORDS_URL"] = settings.records_url
    os.environ["PRACTICUM_RECORDS_TOKEN"] = settings.secret("grader-token")
    # Recorded AI answers, for labs whose notebook is executed again; the grader's token opens them.
    os.environ["PRACTICUM_GATEWAY_URL"] = settings.gateway_url
    os.environ["PRACTICUM_LANG"] = settings.language
    os.environ["PRACTICUM_FONTS"] = str(assets.fonts())
