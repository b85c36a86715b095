"""Likeness on the labs' own references: a copy with light edits is found, different honest works are not."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest
from PIL import Image
from video_submissions import Submissions

from grader.similarity.fingerprints import fingerprint, material_marks
from grader.similarity.pairs import find_pairs
from grader.similarity.prints import Print, Wanted
from grader.similarity.result import Pair
from labs.catalog import find_lab
from publishing.reference import build as build_proposal
from uiux_design.reference import build as build_wireframe

LANGS = ["ko", "en"]
OTHER_WORD = {"ko": "새롭게", "en": "otherwise"}


def proposal(recipe: str, out: Path, lang: str) -> None:
    folder = find_lab("book-proposal").folder
    build_proposal(folder / "reference" / f"{recipe}.yaml", folder, out, lang)


def wireframe(recipe: str, out: Path, lang: str) -> None:
    build_wireframe(recipe, find_lab("landing-wireframe").folder, out, lang)  # type: ignore[arg-type]


BUILDERS: dict[str, Callable[[str, Path, str], None]] = {"book-proposal": proposal, "landing-wireframe": wireframe}


def edit_lightly(folder: Path, lang: str) -> None:
    """Reword every third line, a fifth of the texts of structures, and save pictures smaller and worse."""
    for path in folder.iterdir():
        if path.suffix == ".md":
            lines = path.read_text("utf-8").splitlines()
            path.write_text("\n".join(_reworded(line, lang) if n % 3 == 2 else line for n, line in enumerate(lines)))
        elif path.suffix == ".png":
            with Image.open(path) as image:
                small = image.convert("RGB").resize((image.width * 3 // 4, image.height * 3 // 4))
            small.save(path, "JPEG", quality=60)
        elif path.name != "evidence.json":
            path.write_text(json.dumps(_changed(json.loads(path.read_text("utf-8")), [0]), ensure_ascii=False))


def _reworded(line: str, lang: str) -> str:
    return " ".join(OTHER_WORD[lang] if n % 3 == 1 else word for n, word in enumerate(line.split(" ")))


def _changed(data: Any, count: list[int]) -> Any:
    if isinstance(data, dict):
        return {key: _changed(value, count) for key, value in data.items()}
    if isinstance(data, list):
        return [_changed(value, count) for value in data]
    if isinstance(data, str) and len(data) > 8:
        count[0] += 1
        return data[: len(data) // 2] if count[0] % 5 == 0 else data
    return data


def compared(lab_id: str, lang: str, folders: dict[str, Path], material: Path | None = None) -> list[Pair]:
    lab = find_lab(lab_id)
    wanted = [Wanted(path=one.path.replace("{lang}", lang), kind=one.kind) for one in lab.lab.deliverables]
    prints = [
        Print(receipt=who, learner=who, parts=tuple(fingerprint(folder, one, lang) for one in wanted))
        for who, folder in folders.items()
    ]
    return find_pairs(prints, material_marks(material or lab.folder / "learner", lang))


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("lab_id", list(BUILDERS))
def test_a_copy_with_light_edits_is_found_and_honest_works_are_not(lab_id: str, lang: str, tmp_path: Path) -> None:
    folders = {who: tmp_path / who for who in ("good", "raw")}
    BUILDERS[lab_id]("good", folders["good"], lang)
    BUILDERS[lab_id]("raw_ai", folders["raw"], lang)
    assert compared(lab_id, lang, folders) == [], "two who worked each for themselves"
    folders["copy"] = tmp_path / "copy"
    shutil.copytree(folders["good"], folders["copy"])
    edit_lightly(folders["copy"], lang)
    (pair,) = compared(lab_id, lang, folders)
    assert (pair.first, pair.second) == ("copy", "good")
    shares = {part.path: part.share for part in pair.parts if part.notable}
    print(lab_id, lang, shares)
    made = "proposal.md" if lab_id == "book-proposal" else "wireframe.json"
    assert made in shares
    assert all(part.passages for part in pair.parts if part.notable and part.kind != "image")
    if lab_id == "landing-wireframe":
        assert shares["wireframe.png"] > 0.9


@pytest.mark.slow
@pytest.mark.long
def test_a_clip_compressed_again_is_found_and_another_cut_of_the_same_footage_is_not(tmp_path: Path) -> None:
    made = Submissions(tmp_path)
    folders = {"good": made.folder("good", "ko"), "raw": made.folder("raw_ai", "ko")}
    (folders["raw"] / "ai_disclosure.md").unlink()  # the recipe takes the good one's
    assert compared("rough-cut", "ko", folders, made.material("ko")) == []
    folders["copy"] = tmp_path / "copy"
    shutil.copytree(folders["good"], folders["copy"])
    smaller = ["-vf", "scale=480:270", "-c:v", "libx264", "-crf", "32", "-c:a", "copy", "-y"]
    clip = [str(folders[who] / "final.mp4") for who in ("good", "copy")]
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", clip[0], *smaller, clip[1]], check=True)
    (pair,) = compared("rough-cut", "ko", folders, made.material("ko"))
    assert (pair.first, pair.second) == ("copy", "good")
    shares = {part.path: part.share for part in pair.parts if part.notable}
    print(shares)
    assert {"final.mp4", "cutlist.json"} <= set(shares)
    (cuts,) = [part for part in pair.parts if part.path == "cutlist.json"]
    assert "start: " in cuts.passages[0].first, "which ranges are the same"
