"""A lab's clip: rendered at build from its narration, and the recipes that made the narration and its transcript.

    python -m video_content.material render FOLDER [--lang ko]
    python -m video_content.material narrate [--lang ko]       (needs espeak-ng and the dependency group `material`)
    python -m video_content.material transcribe [--lang ko] [--weights FOLDER]

The rule this module keeps: `render` needs nothing but what is committed, and gives the same clip again. Narration and
transcript are made once, by a person who then listens; the transcript says which sound it is of.
"""

from __future__ import annotations

import argparse
import bisect
import hashlib
import json
import os
import shutil
from importlib.metadata import version
from pathlib import Path

import numpy as np
from moviepy import AudioFileClip, VideoClip

from labs.texts import LANGUAGES
from video_content.media import RATE_HZ, Sound, read_sound
from video_content.narration import narrate
from video_content.render import moviepy_leaves_pipes
from video_content.scene import cuts_of, draw_frame
from video_content.script import Key, read_key, read_script, write_key
from video_content.transcription import transcribe

LAB = Path(__file__).parent / "labs" / "rough_cut"
FPS = 15
CLIP, TRANSCRIPT, NOTE = "interview.mp4", "transcript.json", "material.{lang}.md"
#: The same x264 settings give the same file; bitexact keeps dates and versions out of it.
ENCODING = [
    "-crf",
    "25",
    "-g",
    "30",
    "-pix_fmt",
    "yuv420p",
    "-fflags",
    "+bitexact",
    "-flags:v",
    "+bitexact",
    "-flags:a",
    "+bitexact",
    "-movflags",
    "+faststart",
]


def render(lab_folder: Path, out: Path, lang: str) -> None:
    """Put the interview's clip, its transcript and the note on how they were made into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    made = _cached_clip(lab_folder, lang)
    shutil.copyfile(made, out / CLIP)
    shutil.copyfile(lab_folder / "material" / f"transcript.{lang}.json", out / TRANSCRIPT)
    shutil.copyfile(lab_folder / "material" / NOTE.format(lang=lang), out / NOTE.format(lang=lang))


def _cached_clip(lab_folder: Path, lang: str) -> Path:
    """Render the clip where no clip of the same ingredients was rendered before."""
    narration = lab_folder / "material" / f"narration.{lang}.opus"
    key_file = lab_folder / "server" / f"moments.{lang}.json"
    target = _cache_folder() / f"{_ingredients(narration, key_file)}.mp4"
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        half = target.with_name(f"{target.stem}.{os.getpid()}.mp4")
        draw_clip(narration, read_key(key_file), half)
        half.replace(target)
    return target


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "practicum" / "material"


def _ingredients(*files: Path) -> str:
    """Hash all that the picture and the sound depend on: data, drawing code, and the encoder's package."""
    code = [Path(__file__), *(Path(__file__).with_name(name) for name in ("scene.py", "script.py"))]
    digest = hashlib.sha256(version("imageio-ffmpeg").encode() + version("pillow").encode())
    for path in [*files, *code]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def draw_clip(narration: Path, key: Key, out: Path) -> None:
    """Draw the interview to its narration: 640x360, 15 frames a second, H.264 and AAC."""
    cuts = cuts_of(key)
    starts = [cut.start for cut in cuts]
    levels = mouth_levels(read_sound(narration), key)

    def frame(seconds: float) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        cut = cuts[max(0, bisect.bisect_right(starts, seconds) - 1)]
        return draw_frame(cut, seconds, float(levels[min(len(levels) - 1, int(seconds * FPS))]))

    with moviepy_leaves_pipes(), AudioFileClip(str(narration)) as sound:
        clip = VideoClip(frame_function=frame, duration=key.duration_seconds).with_audio(sound)
        clip.write_videofile(
            str(out),
            fps=FPS,
            codec="libx264",
            audio_codec="aac",
            audio_fps=24_000,
            audio_bitrate="64k",
            preset="veryfast",
            ffmpeg_params=ENCODING,
            logger=None,
            temp_audiofile=str(out.with_suffix(".m4a")),
        )
        clip.close()


def mouth_levels(sound: Sound, key: Key) -> Sound:
    """Give the sound's level in each frame, 0 to 1; between the lines mouths are shut."""
    step = RATE_HZ // FPS
    frames = sound[: len(sound) // step * step].reshape(-1, step)
    levels = np.sqrt(np.mean(frames.astype(np.float32) ** 2, axis=1))
    levels = np.clip(levels / (np.percentile(levels, 95) + 1e-9), 0, 1)
    times = (np.arange(len(levels)) + 0.5) / FPS
    spoken = np.zeros(len(levels), dtype=bool)
    for moment in key.moments:
        spoken |= (times >= moment.start) & (times <= moment.end)
    return np.where(spoken, levels, 0).astype(np.float32)


def main() -> None:
    """Run one recipe for one language or for all."""
    parser = argparse.ArgumentParser(prog="python -m video_content.material", description="Make the lab's material.")
    parser.add_argument("recipe", choices=["render", "narrate", "transcribe"])
    parser.add_argument("folder", nargs="?", type=Path, help="where the rendered clip goes")
    parser.add_argument("--lang", choices=LANGUAGES, action="append")
    parser.add_argument("--weights", default="base", help="a folder with Whisper base, or its name to fetch it")
    given = parser.parse_args()
    for lang in given.lang or LANGUAGES:
        narration = LAB / "material" / f"narration.{lang}.opus"
        if given.recipe == "narrate":
            write_key(LAB / "server" / f"moments.{lang}.json", narrate(read_script(LAB, lang), narration))
        elif given.recipe == "transcribe":
            key = read_key(LAB / "server" / f"moments.{lang}.json")
            made = transcribe(narration, key, lang, given.weights)
            (LAB / "material" / f"transcript.{lang}.json").write_text(_readable(made), "utf-8")
        else:
            render(LAB, (given.folder or Path(f"material-{lang}")), lang)


def _readable(transcript: dict[str, object]) -> str:
    """One line of JSON for each line of speech, so that a change can be read."""
    lines = transcript.pop("lines")
    assert isinstance(lines, list)  # noqa: S101  # what transcribe() returns
    head = json.dumps(transcript, ensure_ascii=False, indent=1)[:-2]
    return head + ',\n "lines": [\n' + ",\n".join("  " + json.dumps(x, ensure_ascii=False) for x in lines) + "\n]}\n"


if __name__ == "__main__":
    main()
