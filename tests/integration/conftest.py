"""People's servers, of both kinds that start on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from quick_template import Template, running_template
from server_house import House


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:
    with running_template(tmp_path_factory.mktemp("quick")) as template:
        yield template


@pytest.fixture(params=["bubblewrap", "quick"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> House:
    quick = request.param == "quick"
    return House(tmp_path / "var", request.getfixturevalue("template").socket if quick else None)
