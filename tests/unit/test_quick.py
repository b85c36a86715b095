"""Importing nbgrader lightly: what grading needs is there, what it does not is left out, and nothing behaves differently."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest
from jsonschema import ValidationError, validate
from nbgrader.nbgraderformat import common

from grader.engine.quick import validating_quickly

LIGHTLY = """
import sys
from grader.engine.quick import import_lightly
import_lightly()
import grader.engine.grade, nbgrader.preprocessors, nbgrader.converters.autograde
assert not {"jupyter_server", "nbgrader.server_extensions", "setuptools"} & set(sys.modules)
from nbgrader.utils import unpack_archive
unpack_archive(sys.argv[1], sys.argv[2])
assert "setuptools.archive_util" in sys.modules and "setuptools" in sys.modules
"""


def test_what_grading_needs_is_there_and_the_rest_comes_when_it_is_asked_for(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("inside.txt", "x")
    command = [sys.executable, "-c", LIGHTLY, str(tmp_path / "a.zip"), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "inside.txt").read_text() == "x"


def test_a_notebook_is_read_without_building_grammars_first() -> None:
    assert find_spec("rfc3987_syntax") is None, "it costs each process three seconds; pyproject.toml leaves it out"


@pytest.mark.parametrize("instance", [{"a": 1}, {"a": "x"}, {}, [], {"a": 1, "b": 2}])
def test_marks_are_validated_as_jsonschema_does(instance: object) -> None:
    schema = {
        "type": "object",
        "required": ["a"],
        "properties": {"a": {"type": "integer"}},
        "additionalProperties": False,
    }
    said = []
    for check in (validate, None):
        with validating_quickly():
            try:
                (check or common.jsonschema.validate)(instance, schema)
                said.append("")
            except ValidationError as error:
                said.append(error.message)
    assert said[0] == said[1]
