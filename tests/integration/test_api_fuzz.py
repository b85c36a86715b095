"""Every address of the API, for every kind of caller, with what its schema allows: no crash, no answer that is not documented."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from records_server import make_app
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from small_course import fill

from grader.records.db import open_database

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
#: An office, an instructor, a learner, a learner of another course, the grading service, and nobody.
TOKENS = ("token-ida", "token-eve", "token-ann", "token-zoe", "token-grader", "token-nobody")
#: What there is in the records: else nearly every answer would be that there is no such thing.
KNOWN = {"course": "course-a", "institution": "inst", "login": "ann", "lab": "rough-cut"}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Any]:
    engine = open_database(f"sqlite:///{tmp_path / 'records.db'}")
    fill(engine)
    yield schemathesis.openapi.from_asgi("/openapi.json", make_app(engine, tmp_path / "blobs"))
    engine.dispose()


@pytest.mark.parametrize(
    "mode",
    [
        pytest.param(GenerationMode.POSITIVE, id="allowed"),
        pytest.param(GenerationMode.NEGATIVE, id="forbidden", marks=pytest.mark.long),
    ],
)
def test_no_answer_outside_the_schema(api: Any, mode: GenerationMode) -> None:
    tried = 0
    for found in api.get_all_operations():
        operation = found.ok()

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=8, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
        )
        def ask(case: schemathesis.Case) -> None:
            case.call_and_validate(headers={"authorization": f"Bearer {TOKENS[0]}"}, checks=CHECKS)
            case.path_parameters |= {name: KNOWN[name] for name in case.path_parameters if name in KNOWN}
            for token in TOKENS:
                case.call_and_validate(headers={"authorization": f"Bearer {token}"}, checks=CHECKS)

        # Some addresses take any text: nothing is forbidden there.
        with contextlib.suppress(Unsatisfiable):
            ask()
            tried += 1
    assert tried > 15
