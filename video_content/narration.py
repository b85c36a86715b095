"""Making an interview's sound from its script, once: `python -m video_content.material narrate`.

The rule this module keeps: the same script gives the same sound. Room tone is seeded noise, so a silence is quiet but never
digital zero, as in a recording.
"""

from __future__ import annotations

import subprocess
import tempfile
from importlib import import_module
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from video_content.media import Sound, read_sound
from video_content.script import Key, Moment, Script, ScriptLine, Voice, moment

NARRATION_HZ = 24_000
#: The loudest sample of a voice at level 1, and the room's level (RMS): about -57 dBFS.
PEAK, ROOM_RMS = 0.7, 0.0014
SEED = 20261123


def narrate(script: Script, out: Path) -> Key:
    """Speak a script into an Opus file and give the key with each line's place in time."""
    parts: list[Sound] = [_quiet(script.lead_in_seconds)]
    moments: list[Moment] = []
    clock = script.lead_in_seconds
    for line in script.lines:
        spoken = _speak(line, script.voices[line.voice])
        moments.append(moment(line, clock, clock + len(spoken) / NARRATION_HZ))
        parts += [spoken, _quiet(line.pause_seconds)]
        clock = sum(len(part) for part in parts) / NARRATION_HZ
    sound = np.concatenate(parts)
    _encode(sound + _room(len(sound)), out)
    return Key(duration_seconds=round(clock, 3), moments=tuple(moments))


def _quiet(seconds: float) -> Sound:
    return np.zeros(round(seconds * NARRATION_HZ), dtype=np.float32)


def _room(samples: int) -> Sound:
    """Room tone: noise with its treble taken off, as an air conditioner next door."""
    noise = np.random.default_rng(SEED).standard_normal(samples + 64)
    smooth = np.convolve(noise, np.hanning(64) / np.hanning(64).sum(), mode="valid")[:samples]
    return np.asarray(smooth / np.std(smooth) * ROOM_RMS, dtype=np.float32)


def _speak(line: ScriptLine, voice: Voice) -> Sound:
    speed, pitch = line.speed or voice.speed, line.pitch or voice.pitch
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "line.wav"
        if voice.engine == "espeak-ng":
            command = [
                "espeak-ng",
                "-v",
                voice.voice,
                "-s",
                f"{speed:g}",
                "-p",
                f"{pitch:g}",
                "-w",
                str(wav),
                line.text,
            ]
            subprocess.run(command, check=True, timeout=60)
            sound = read_sound(wav, NARRATION_HZ)
        else:
            sound = _speak_hibari(line.text, voice.voice, speed, pitch, wav)
    trimmed: Sound = _trim(sound) * np.float32(PEAK * voice.level / float(np.max(np.abs(sound))))
    return trimmed


def _speak_hibari(text: str, voice: str, speed: float, pitch: float, wav: Path) -> Sound:
    """A second voice of the one that ships: spoken faster, then played slower, which lowers the pitch."""
    engine = import_module("hibari")  # of the group `material`; not needed to build or check a lab
    engine.Hibari(voice=voice).save(text, str(wav), speed=speed / pitch, seed=SEED)
    return read_sound(wav, round(NARRATION_HZ / pitch))


def _trim(sound: Sound) -> Sound:
    """Take silence off both ends, so that a moment's times are those of the speech."""
    loud = np.flatnonzero(np.abs(sound) > 0.01 * float(np.max(np.abs(sound))))
    return sound[loud[0] : loud[-1] + 1]


def _encode(sound: Sound, out: Path) -> None:
    samples = (np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes()
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-hide_banner",
        "-loglevel",
        "error",
        "-y",
        "-f",
        "s16le",
        "-ar",
        str(NARRATION_HZ),
        "-ac",
        "1",
        "-i",
        "-",
        "-c:a",
        "libopus",
        "-b:a",
        "24k",
        "-fflags",
        "+bitexact",
        str(out),
    ]
    subprocess.run(command, input=samples, check=True, timeout=60)
