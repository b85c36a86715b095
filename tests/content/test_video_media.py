"""Hostile and broken media: each is refused with a MediaError or scores nothing, none opens another file or crashes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from video_content import delivery
from video_content.cuts import CutList, Range, from_labels, load_cutlist, silences, speech_ranges, tighten
from video_content.media import RATE_HZ, MediaError, probe, read_frames, read_sound

HLS = b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
CONCAT = b"ffconcat version 1.0\nfile '/etc/passwd'\n"


@pytest.mark.parametrize(
    "content", [b"", b"\x00" * 4096, b"not a film", HLS, CONCAT, b"\x00\x00\x00\x20ftypisom" + b"\xff" * 2000]
)
def test_what_is_no_film_is_refused(tmp_path: Path, content: bytes) -> None:
    clip = tmp_path / "final.mp4"
    clip.write_bytes(content)
    for read in (probe, read_sound, read_frames):
        with pytest.raises(MediaError):
            read(clip)
    for result in (
        delivery.plays(tmp_path, file="final.mp4"),
        delivery.no_long_silence(tmp_path, file="final.mp4"),
        delivery.length(tmp_path, file="final.mp4", min_seconds=1, max_seconds=2),
    ):
        assert result.score == 0
        assert result.findings[0].where == "final.mp4"


def test_a_playlist_does_not_reach_a_real_film(tmp_path: Path) -> None:
    make_clip(tmp_path / "real.mp4")
    (tmp_path / "final.mp4").write_bytes(f"#EXTM3U\n#EXTINF:1,\n{tmp_path}/real.mp4\n#EXT-X-ENDLIST\n".encode())
    with pytest.raises(MediaError):
        read_sound(tmp_path / "final.mp4")


@pytest.mark.parametrize("name", ["final.m3u8", "final.txt", "final", "final.ffconcat"])
def test_only_known_containers_are_opened(tmp_path: Path, name: str) -> None:
    make_clip(tmp_path / "real.mp4")
    (tmp_path / "real.mp4").rename(tmp_path / name)
    with pytest.raises(MediaError, match="expected one of"):
        probe(tmp_path / name)


def test_a_link_out_of_the_folder_is_no_submission(tmp_path: Path) -> None:
    make_clip(tmp_path / "real.mp4")
    (inside := tmp_path / "submitted").mkdir()
    (inside / "final.mp4").symlink_to(tmp_path / "real.mp4")
    assert delivery.plays(inside, file="final.mp4").score == 0
    assert delivery.plays(inside, file="../real.mp4").score == 0


def test_a_title_that_looks_like_a_header_changes_nothing(tmp_path: Path) -> None:
    make_clip(
        tmp_path / "final.mp4",
        "-metadata",
        "title=x\n  Duration: 09:09:09.00\n  Stream #0:0: Video: vp9, 9999x9999, 99 fps",
    )
    header = probe(tmp_path / "final.mp4")
    assert header.duration_seconds < 3
    assert (header.video_codec, header.width, header.height) == ("h264", 640, 360)


def test_a_still_clip_with_short_picture_loses_points(tmp_path: Path) -> None:
    make_clip(tmp_path / "final.mp4", "-t", "2")
    assert delivery.plays(tmp_path, file="final.mp4").score == 1
    assert delivery.length(tmp_path, file="final.mp4", min_seconds=4, max_seconds=9).score == pytest.approx(
        0.5, abs=0.05
    )


def test_silences_also_at_the_ends() -> None:
    speech = np.random.default_rng(1).normal(0, 0.2, RATE_HZ).astype(np.float32)
    quiet = np.random.default_rng(2).normal(0, 0.0005, RATE_HZ).astype(np.float32)
    gaps = silences(np.concatenate([quiet, speech, quiet, quiet, speech, quiet]), 0.8)
    assert [(round(g.start), round(g.end)) for g in gaps] == [(0, 1), (2, 4), (5, 6)]
    assert [(g.start, round(g.end)) for g in silences(np.zeros(4 * RATE_HZ, np.float32), 0.8)] == [(0.0, 4)]


def test_tightening_cuts_the_pause_and_keeps_the_speech() -> None:
    speech = np.random.default_rng(1).normal(0, 0.2, RATE_HZ).astype(np.float32)
    quiet = np.full(2 * RATE_HZ, 0.0005, np.float32)
    sound = np.concatenate([speech, quiet, speech])
    tight = tighten(CutList(source="a", ranges=(Range(start=0, end=4, line="L1"),)), sound)
    assert tight.seconds == pytest.approx(2.24, abs=0.05)
    assert len(speech_ranges(sound, 0.8)) == 2


def test_neighbouring_kept_lines_stay_one_stretch() -> None:
    lines = [{"id": f"L{n}", "start": n * 2.0, "end": n * 2.0 + 1} for n in range(4)]
    cutlist = from_labels(lines, {"L0": "keep", "L1": "keep", "L2": "cut", "L3": "keep"}, "a.mp4")
    assert [(r.line, r.start) for r in cutlist.ranges] == [("L0", 0), ("L3", 5.88)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"source": "a", "ranges": [{"start": 2, "end": 1}]}',
        '{"source": "a", "ranges": [{"start": NaN, "end": 1}]}',
    ],
)
def test_a_bad_cut_list_says_what_is_wrong(tmp_path: Path, text: str) -> None:
    (tmp_path / "cutlist.json").write_text(text)
    with pytest.raises(ValueError, match=r"cutlist\.json"):
        load_cutlist(tmp_path / "cutlist.json")


def make_clip(path: Path, *options: str) -> None:
    sources = ["-f", "lavfi", "-i", "testsrc=s=640x360:r=15:d=2", "-f", "lavfi", "-i", "sine=d=2"]
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-loglevel",
        "error",
        "-y",
        *sources,
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-c:a",
        "aac",
        *options,
        str(path),
    ]
    subprocess.run(command, check=True, timeout=30)
