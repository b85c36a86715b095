"""Which kernel an instructor's notebook is executed with, and what is said where there is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from bash_course import install_bash
from nbgrader.preprocessors import ClearSolutions
from traitlets.config import Config

from grader.engine.cold.kernels import KernelMissing, kernel_of
from grader.engine.sources import Sources
from grader.nbgrader_setup import configure_course


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_PATH", str(install_bash(tmp_path)))


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        {"kernelspec": {"name": "conda-env-x-py", "display_name": "x", "language": "Python"}},
        {"kernelspec": {"name": "xpython"}, "language_info": {"name": "python"}},
    ],
)
def test_python_of_any_name_has_its_own_way(metadata: dict[str, Any]) -> None:
    assert kernel_of({"metadata": metadata}) is None


@pytest.mark.parametrize(
    "metadata",
    [
        {"kernelspec": {"name": "practicum-bash", "language": "bash"}},
        {"kernelspec": {"name": "practicum-bash"}, "language_info": {"name": "bash"}},
        {"kernelspec": {"name": "practicum-bash"}},
    ],
)
def test_another_language_is_known_by_the_notebook_or_by_the_kernelspec(
    metadata: dict[str, Any], tmp_path: Path
) -> None:
    kernel = kernel_of({"metadata": metadata})
    assert kernel is not None
    assert kernel.shown == (tmp_path / "kernels" / "practicum-bash", "/jupyter/kernels/practicum-bash")


@pytest.mark.parametrize("name", ["ir", "../../etc", "", "a b"])
def test_a_kernel_that_is_not_there_is_named_in_both_languages(name: str) -> None:
    with pytest.raises(KernelMissing) as error:
        kernel_of({"metadata": {"kernelspec": {"name": name, "language": "R"}}})
    assert (name or "r") in error.value.text.ko
    assert (name or "r") in error.value.text.en


def test_only_python_notebooks_say_what_the_template_imports(tmp_path: Path) -> None:
    for name, source, language in (("one", "import json", "python"), ("two", "import secrets", "bash")):
        cell = nbformat.v4.new_code_cell(source)
        metadata = {"kernelspec": {"name": f"practicum-{language}", "display_name": "x", "language": language}}
        (tmp_path / f"{name}.ipynb").write_text(json.dumps(nbformat.v4.new_notebook(cells=[cell], metadata=metadata)))
    sources = Sources.of(sorted(tmp_path.glob("*.ipynb")))
    assert sources.python is not None
    assert sources.python.imports == ("json",)
    assert list(sources.kernels) == ["two"]


@pytest.mark.parametrize(
    ("language", "stub"),
    [("python", "# ✎"), ("bash", "# ✎"), ("R", "# ✎"), ("julia", "# ✎"), ("javascript", "// ✎"), ("sql", "-- ✎"), ("octave", "% ✎")],
)  # fmt: skip
def test_a_solution_is_taken_out_whatever_the_language(tmp_path: Path, language: str, stub: str) -> None:
    config = Config()
    configure_course(config, tmp_path, "c")
    cell = nbformat.v4.new_code_cell("### BEGIN SOLUTION\nsecret\n### END SOLUTION")
    cell.metadata["nbgrader"] = {
        "schema_version": 3,
        "grade_id": "a",
        "solution": True,
        "grade": False,
        "locked": False,
    }
    spec = {"name": "k", "display_name": "x", "language": language}
    page = nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": spec})
    cleared, _ = ClearSolutions(config=config).preprocess(page, {})
    assert cleared.cells[0].source == stub
