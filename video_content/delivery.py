"""Checks on the delivered clip as a file: it plays, it is as long as the brief says, nobody is silent too long.

The rule this module keeps: the clip is decoded and measured; what its header or its maker says of it is not believed.
"""

from __future__ import annotations

from pathlib import Path

from labs.checks import CheckResult, Finding, failed, missing_file, passed, safe_path, share
from labs.texts import Text
from video_content.captions import timecode
from video_content.cuts import silences
from video_content.media import FPS, RATE_HZ, MediaError, Probe, probe, read_frames, read_sound


def open_clip(folder: Path, file: str) -> Path | CheckResult:
    """Find a submission's clip, or give the result that says that it is missing."""
    return safe_path(folder, file) or missing_file(file)


def unplayable(file: str, error: MediaError) -> CheckResult:
    """The result for a clip that cannot be decoded."""
    reason = str(error)[:160]
    return failed(
        Text(ko=f"{file}을 재생할 수 없습니다. ({reason})", en=f"{file} cannot be played. ({reason})"),
        Text(
            ko="노트북의 렌더링 칸을 다시 실행해 파일을 새로 만드세요.",
            en="Run the notebook's rendering cell again to make it anew.",
        ),
        where=file,
    )


def plays(folder: Path, *, file: str, min_width: int = 640, min_height: int = 360, min_fps: float = 12) -> CheckResult:
    """Check that the clip is H.264 with AAC sound, large enough, and that picture and sound are equally long."""
    clip = open_clip(folder, file)
    if isinstance(clip, CheckResult):
        return clip
    try:
        header = probe(clip)
        pictures, sound = len(read_frames(clip)) / FPS, len(read_sound(clip)) / RATE_HZ
    except MediaError as error:
        return unplayable(file, error)
    wants = [*_format_wants(header, file, min_width, min_height, min_fps), _together(pictures, sound, file)]
    return share(sum(want.ok for want in wants), len(wants), wants)


def _format_wants(header: Probe, file: str, min_width: int, min_height: int, min_fps: float) -> list[Finding]:
    codecs = f"{header.video_codec} + {header.audio_codec}"
    return [
        Finding(
            ok=(header.video_codec, header.audio_codec) == ("h264", "aac"),
            where=file,
            found=Text(ko=f"영상과 소리의 형식: {codecs}", en=f"Picture and sound format: {codecs}"),
            right=Text(ko="H.264 영상과 AAC 소리로 내보내세요.", en="Export H.264 picture and AAC sound."),
        ),
        Finding(
            ok=header.width >= min_width and header.height >= min_height and header.fps >= min_fps,
            where=file,
            found=Text(
                ko=f"화면 {header.width}x{header.height}, 초당 {header.fps:g}장",
                en=f"Picture {header.width}x{header.height}, {header.fps:g} frames a second",
            ),
            right=Text(
                ko=f"{min_width}x{min_height} 이상, 초당 {min_fps:g}장 이상으로 내보내세요.",
                en=f"Export at {min_width}x{min_height} and {min_fps:g} frames a second or more.",
            ),
        ),
    ]


def _together(pictures: float, sound: float, file: str) -> Finding:
    return Finding(
        ok=abs(pictures - sound) <= 0.6,
        where=file,
        found=Text(
            ko=f"화면 {pictures:.1f}초, 소리 {sound:.1f}초", en=f"Picture {pictures:.1f} s, sound {sound:.1f} s"
        ),
        right=Text(ko="화면과 소리의 길이를 같게 맞추세요.", en="Make picture and sound equally long."),
    )


def length(folder: Path, *, file: str, min_seconds: float, max_seconds: float) -> CheckResult:
    """Check the measured length of the clip against the brief; a quarter of the points go for each second beside it."""
    clip = open_clip(folder, file)
    if isinstance(clip, CheckResult):
        return clip
    try:
        seconds = len(read_sound(clip)) / RATE_HZ
    except MediaError as error:
        return unplayable(file, error)
    beside = max(min_seconds - seconds, seconds - max_seconds, 0.0)
    if beside <= 0.05:
        return passed(
            f"길이가 {seconds:.1f}초로 의뢰서의 범위 안입니다.",
            f"It is {seconds:.1f} s long, within the brief.",
            where=file,
        )
    what = Text(ko=f"길이가 {seconds:.1f}초입니다.", en=f"It is {seconds:.1f} s long.")
    cut = seconds > max_seconds
    right = Text(
        ko=f"{min_seconds:g}-{max_seconds:g}초가 되게 {beside:.1f}초를 {'덜어 내세요' if cut else '더하세요'}.",
        en=f"{'Take out' if cut else 'Add'} {beside:.1f} s to come within {min_seconds:g}-{max_seconds:g} s.",
    )
    return share(4 - min(4, beside), 4, [Finding(found=what, right=right, where=timecode(min(seconds, max_seconds)))])


def no_long_silence(folder: Path, *, file: str, longest_seconds: float = 0.8) -> CheckResult:
    """Check that no silence is longer than allowed; a third of the points goes for each."""
    clip = open_clip(folder, file)
    if isinstance(clip, CheckResult):
        return clip
    try:
        found = silences(read_sound(clip), longest_seconds)
    except MediaError as error:
        return unplayable(file, error)
    if not found:
        return passed(
            f"{longest_seconds:g}초보다 긴 침묵이 없습니다.", f"No silence is longer than {longest_seconds:g} s."
        )
    findings = [
        Finding(
            where=timecode(gap.start),
            found=Text(ko=f"{gap.seconds:.1f}초 동안 말이 없습니다.", en=f"Nobody speaks for {gap.seconds:.1f} s."),
            right=Text(
                ko=f"{timecode(gap.start)}-{timecode(gap.end)}에서 {gap.seconds - longest_seconds:.1f}초 이상 잘라 내세요.",
                en=f"Cut {gap.seconds - longest_seconds:.1f} s or more between {timecode(gap.start)} and {timecode(gap.end)}.",
            ),
        )
        for gap in found
    ]
    return share(max(0, 3 - len(found)), 3, findings)
