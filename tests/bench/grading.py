"""Grading beside stock nbgrader, in one run: the same submissions, the same scores, ours in the sandbox and with its start.

    .venv/bin/python tests/bench/grading.py [--quick]

Stock is timed in its best case, one command for all submissions. Ours is the command `practicum grade` with a running records
service, from its start to its end. Writes var/bench/grading.json.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import yaml

HERE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HERE / "tests" / "support"))

from grading_course import GradingCourse, graded_cell, notebook, scores_of, solution_cell  # noqa: E402
from nbformat.v4 import new_code_cell  # noqa: E402
from records_server import PEOPLE, make_app, serving  # noqa: E402
from running import free_base_port  # noqa: E402
from small_course import COURSE, fill  # noqa: E402

import publishing.reference  # noqa: E402
import uiux_design.reference  # noqa: E402
import video_content.reference  # noqa: E402
from grader.client import RecordsClient  # noqa: E402
from grader.engine.collect import collect  # noqa: E402
from grader.nbgrader_setup import course_api  # noqa: E402
from grader.records.db import open_database  # noqa: E402
from grader.roles import Caller  # noqa: E402
from hub_config.settings import Settings  # noqa: E402
from labs.build import build_lab  # noqa: E402
from labs.catalog import find_lab  # noqa: E402

PRACTICUM, NBGRADER = (str(Path(sys.prefix) / "bin" / name) for name in ("practicum", "nbgrader"))
OUT = HERE / "var" / "bench" / "grading.json"


def light() -> Any:
    """Four small functions in pure Python, each with a visible and a hidden test."""
    cells = [new_code_cell("import math")]
    for i in range(4):
        cells.append(solution_cell(f"f{i}", f"def f{i}(n):\n    ### BEGIN SOLUTION\n    return [x * x + {i} for x in range(n)]\n"
                                            "    ### END SOLUTION"))  # fmt: skip
        cells.append(graded_cell(f"t{i}", f"assert f{i}(3) == [{i}, {1 + i}, {4 + i}]\n### BEGIN HIDDEN TESTS\n"
                                          f"assert f{i}(0) == []\n### END HIDDEN TESTS", points=5))  # fmt: skip
    return notebook(*cells)


def video() -> Any:
    """A two-second clip, rendered with moviepy from Pillow's pictures, and measured."""
    return notebook(
        new_code_cell("import numpy as np\nfrom moviepy import ImageSequenceClip, VideoFileClip\nfrom PIL import Image, ImageDraw"),
        solution_cell("clip", "def frames():\n    ### BEGIN SOLUTION\n    return [picture(i) for i in range(20)]\n    ### END SOLUTION\n"
                              "def picture(i):\n    image = Image.new('RGB', (160, 90))\n"
                              "    ImageDraw.Draw(image).rectangle((i, i, i + 20, i + 20), fill='white')\n"
                              "    return np.asarray(image)"),
        new_code_cell("ImageSequenceClip(frames(), fps=10).write_videofile('clip.mp4', logger=None)"),
        graded_cell("length", "with VideoFileClip('clip.mp4') as made:\n    assert abs(made.duration - 2) < 0.15", points=6),
        graded_cell("size", "with VideoFileClip('clip.mp4') as made:\n    assert list(made.size) == [160, 90]", points=4),
    )  # fmt: skip


def answers(page: Any, number: int) -> Any:
    """Every third answer of a learner is wrong, in turn."""
    for cell in page.cells:
        mark = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        if mark in ("f0", "f1", "f2", "f3"):
            body = f"x * x + {mark[1]}" if (number + int(mark[1])) % 3 else "x"
            cell.source = f"def {mark}(n):\n    return [{body} for x in range(n)]"
        elif mark == "clip":
            count = 20 if number % 3 else 9
            cell.source = (
                f"def frames():\n    return [picture(i) for i in range({count})]\n"
                + cell.source[cell.source.index("def picture") :]
            )
    return page


@contextmanager
def installation(folder: Path) -> Any:
    """A data folder with records and their service, as `practicum grade` finds it."""
    data = folder / "var"
    (data / "run").mkdir(parents=True)
    settings = Settings(data=data, port=free_base_port(), language="en")
    token = settings.secret("grader-token")
    PEOPLE[token] = Caller("grader", kind="service")
    (data / "run" / "settings.yaml").write_text(yaml.safe_dump(json.loads(settings.model_dump_json())))
    engine = open_database(settings.records_database)
    fill(engine)
    prefix = "/services/portal/api/v1"
    app = make_app(engine, data / "records" / "blobs", prefix)
    with serving(app, settings.portal_port, prefix) as api:
        course = GradingCourse(data, engine, api, data / "records" / "blobs")
        os.environ.update(PRACTICUM_SETTINGS=str(data / "run" / "settings.yaml"), PRACTICUM_RECORDS_URL=api,
                          PRACTICUM_RECORDS_TOKEN=token, PRACTICUM_LANG="en")  # fmt: skip
        yield course
    engine.dispose()


def compare(name: str, source: Any, count: int, rounds: int) -> dict[str, Any]:
    """Time both on the same submissions, in turns; the scores have to be the same."""
    with tempfile.TemporaryDirectory() as temporary, installation(Path(temporary)) as course:
        course.assign(name, source, stock=True)
        page = course.released(name)
        for number in range(count):
            course.hand_in(f"learner{number:03}", name, {f"{name}.ipynb": answers(json_copy(page), number)})
        with RecordsClient() as records:
            collect(records, course.root, COURSE, name, records.submissions(COURSE, name))
        times: dict[str, list[float]] = {"ours": [], "stock": []}
        for _round in range(rounds):
            times["ours"].append(timed([PRACTICUM, "grade", COURSE, name, "--force", "--json"], course.root))
            times["stock"].append(timed([NBGRADER, "autograde", name, "--force", f"--CourseDirectory.root={course.stock_root}",
                                         f"--CourseDirectory.course_id={COURSE}"], course.stock_root))  # fmt: skip
        same = scores_of(course.root, name) == scores_of(course.stock_root, name)
        ratios = [stock / ours for ours, stock in zip(times["ours"], times["stock"], strict=True)]
        return {"count": count, "ours_seconds": times["ours"], "stock_seconds": times["stock"], "ratio": median(ratios),
                "ratios": ratios, "same_scores": same}  # fmt: skip


def criteria(count: int) -> dict[str, Any]:
    """Time `practicum grade` on reference submissions of the three sample labs, `count` in all."""
    with tempfile.TemporaryDirectory() as temporary, installation(Path(temporary)) as course:
        folder = Path(temporary) / "references"
        begun: dict[str, float] = {}
        for lab_id, build in REFERENCES.items():
            hand_in_references(course, folder / lab_id, lab_id, build, count // 3)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        for lab_id in REFERENCES:
            begun[lab_id] = timed([PRACTICUM, "grade", COURSE, lab_id, "--json"], course.root)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {"count": count, "seconds": sum(begun.values()), "by_lab": begun,
                "cpu_seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}  # fmt: skip


def hand_in_references(course: GradingCourse, folder: Path, lab_id: str, build: Callable[..., Any], count: int) -> None:
    """Build a lab, hand it out, and hand in its `good` and `raw_ai` references in turn."""
    lab, source = find_lab(lab_id), course.root / "source" / lab_id
    build_lab(lab, COURSE, "ko", source)
    outcome = course_api(course.root, COURSE).generate_assignment(lab_id, force=True, create=True)
    assert outcome["success"], outcome["log"]
    course.release(lab_id)
    notebook_file = course.root / "release" / lab_id / f"{lab_id}.ipynb"
    files = []
    for recipe in ("good", "raw_ai"):
        build(lab.folder, recipe, course.root / "release" / lab_id, folder / recipe)
        made = {
            str(p.relative_to(folder / recipe)): p.read_bytes() for p in (folder / recipe).rglob("*") if p.is_file()
        }
        files.append(made | {notebook_file.name: notebook_file.read_bytes()})
    for number in range(count):
        course.hand_in(f"learner{number:03}", lab_id, files[number % 2])


REFERENCES: dict[str, Callable[..., Any]] = {
    "rough-cut": lambda lab, recipe, material, out: video_content.reference.build(
        video_content.reference.read_recipe(lab, recipe), lab, material, out, "ko"),
    "landing-wireframe": lambda lab, recipe, _material, out: uiux_design.reference.build(recipe, lab, out, "ko"),
    "book-proposal": lambda lab, recipe, _material, out: publishing.reference.build(
        lab / "reference" / f"{recipe}.yaml", lab, out, "ko"),
}  # fmt: skip


def json_copy(page: Any) -> Any:
    import copy

    return copy.deepcopy(page)


def timed(command: list[str], folder: Path) -> float:
    """Seconds of a command from its start to its end; what it says is shown where it fails."""
    env = {**os.environ, "PATH": f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    begun = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - begun
    if done.returncode:
        raise SystemExit(f"{command} ended with {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return seconds


def main() -> None:
    quick = "--quick" in sys.argv
    results: dict[str, Any] = {
        "light20": compare("light", light(), 20, 1 if quick else 3),
        "video20": compare("video", video(), 20, 1 if quick else 2),
    }
    if not quick:
        results["light100"] = compare("light", light(), 100, 1)
    checked = {f"criteria{count}": criteria(count) for count in ((30,) if quick else (30, 300))}
    summary = {
        **{f"{name}_seconds": round(found["seconds"], 1) for name, found in checked.items()},
        **{f"{name}_ratio": round(found["ratio"], 2) for name, found in results.items()},
        "same_scores": all(found["same_scores"] for found in results.values()),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000, 1),
        "runs": results | checked,
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(summary, indent=1))
    print(json.dumps({k: v for k, v in summary.items() if k != "runs"}, indent=1))
    for name, found in results.items():
        print(
            name,
            "ours",
            [round(s, 2) for s in found["ours_seconds"]],
            "stock",
            [round(s, 2) for s in found["stock_seconds"]],
        )


if __name__ == "__main__":
    main()
