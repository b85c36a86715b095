"""Finding moments by sound and picture: the right sound over a frozen, shifted or foreign picture does not count."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from video_submissions import Submissions

from video_content.align import Alignment, align, match_pictures, match_sound
from video_content.media import RATE_HZ, read_frames, read_sound
from video_content.script import Key, read_key

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Submissions:
    return Submissions(tmp_path_factory.mktemp("align"))


@pytest.fixture(scope="module")
def key(made: Submissions) -> Key:
    return read_key(made.lab.folder / "server" / "moments.ko.json")


def remake(made: Submissions, out: Path, *options: str) -> Path:
    """Make a submission of the good clip with other pictures or sound."""
    out.mkdir()
    good = made.folder("good", "ko") / "final.mp4"
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-loglevel",
        "error",
        "-y",
        "-i",
        str(good),
        *options,
        "-preset",
        "ultrafast",
        "-shortest",
        str(out / "final.mp4"),
    ]
    subprocess.run(command, check=True, timeout=60)
    return out


FOREIGN = ("-f", "lavfi", "-i", "testsrc2=s=640x360:r=15:d=30", "-map", "0:a", "-map", "1:v")


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("-vf", "select=eq(n\\,40),tpad=stop_mode=clone:stop_duration=30"), id="frozen"),
        pytest.param(FOREIGN, id="foreign"),
        pytest.param(("-vf", "reverse"), id="reversed"),
        pytest.param(("-vf", "drawbox=c=black:t=fill"), id="black"),
    ],
)
def test_another_picture_loses_the_moments(made: Submissions, tmp_path: Path, options: tuple[str, ...]) -> None:
    folder = remake(made, tmp_path / "s", *options)
    assert made.check(folder, "ko", "required-moments").score <= 0.2


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("-vf", "eq=brightness=0.06:contrast=1.2", "-crf", "30"), id="graded"),
        pytest.param(("-vf", "drawbox=y=290:h=50:x=120:w=400:c=black@0.8:t=fill"), id="burned-in captions"),
        pytest.param(("-af", "volume=0.5", "-b:a", "48k"), id="quieter"),
        pytest.param(("-vf", "scale=1280:720"), id="larger"),
    ],
)
def test_honest_finishing_keeps_the_moments(made: Submissions, tmp_path: Path, options: tuple[str, ...]) -> None:
    folder = remake(made, tmp_path / "s", *options)
    assert made.check(folder, "ko", "required-moments").score == 1


def test_foreign_sound_is_not_from_the_source(made: Submissions, tmp_path: Path) -> None:
    folder = remake(
        made, tmp_path / "s", "-f", "lavfi", "-i", "anoisesrc=d=30:a=0.3:seed=1", "-map", "0:v", "-map", "1:a"
    )
    assert made.check(folder, "ko", "required-moments").score == 0
    assert made.check(folder, "ko", "rejected-moments").score == 0


def test_the_source_itself_keeps_all_and_drops_none(made: Submissions, key: Key) -> None:
    clip = made.material("ko") / "interview.mp4"
    found: Alignment = align(clip, clip)
    assert all(found.share_of(m.start, m.end, with_picture=True) > 0.95 for m in key.moments)


def test_order_and_repetition_are_found(made: Submissions, key: Key) -> None:
    source = read_sound(made.material("ko") / "interview.mp4")
    first, second = key.required[0], key.required[3]
    parts = [source[int(m.start * RATE_HZ) : int(m.end * RATE_HZ)] for m in (second, first, second)]
    seconds = match_sound(np.concatenate(parts), source)
    frames = read_frames(made.material("ko") / "interview.mp4")
    found = Alignment(seconds, match_pictures(seconds, frames[: len(frames) // 2], frames), np.ones(900, dtype=bool))
    assert len(found.occurrences(second.start, second.end)) == 2
    assert len(found.occurrences(first.start, first.end)) == 1


@pytest.mark.parametrize("samples", [0, 1, 100, 3000])
def test_very_short_sounds_match_nothing(samples: int) -> None:
    sound = np.random.default_rng(3).normal(0, 0.3, samples).astype(np.float32)
    assert np.isnan(match_sound(sound, sound)).all()
