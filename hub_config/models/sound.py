"""Decoding, speaking and encoding sound: a process in the sandbox for each file, with ffmpeg and espeak-ng.

The rule: who reads a learner's file sees that file only, and lives no longer than it takes.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import imageio_ffmpeg

from hub_config.models import confined

HZ, SAMPLE_BYTES = 16000, 2
#: Formats that hold sound. Playlists and lists of other files are not among them: they would name files to read.
FORMATS = "wav,flac,mp3,ogg,aac,mov,mp4,m4a,matroska,webm"
LIMITS = confined.Limits(memory_bytes=1_000_000_000, cpu_seconds=60)
SECONDS = 90.0
#: What 10 minutes of speech take as plain samples, and more.
MOST_SPEECH_BYTES = 60_000_000

#: The encodings of spoken text: ffmpeg's words for each, and what a browser calls it.
ENCODINGS: dict[str, tuple[tuple[str, ...], str]] = {
    "mp3": (("-f", "mp3", "-c:a", "libmp3lame", "-b:a", "64k"), "audio/mpeg"),
    "opus": (("-f", "ogg", "-c:a", "libopus", "-b:a", "32k"), "audio/ogg"),
    "flac": (("-f", "flac"), "audio/flac"),
    "wav": (("-f", "wav"), "audio/wav"),
    "aac": (("-f", "adts", "-c:a", "aac", "-b:a", "64k"), "audio/aac"),
    "pcm": (("-f", "s16le", "-ar", "24000"), "audio/pcm"),
}
#: An espeak-ng variant for each voice of the OpenAI API; another name gets the language's own voice.
VARIANTS = {
    "alloy": "f2", "ash": "m3", "ballad": "m5", "cedar": "m6", "coral": "f1", "echo": "m2", "fable": "m4", "marin": "f3",
    "nova": "f4", "onyx": "m7", "sage": "f5", "shimmer": "whisperf", "verse": "m1",
}  # fmt: skip
WORDS_PER_MINUTE, SLOWEST, FASTEST = 175, 80, 450


@cache
def ffmpeg() -> str:
    """Give the path of moviepy's ffmpeg."""
    return str(imageio_ffmpeg.get_ffmpeg_exe())


async def decode(file: Path, seconds: int) -> bytes | None:
    """Give a file's sound as 16 kHz samples, a second more than the limit where it is longer; None where there is none."""
    most = (seconds + 1) * HZ * SAMPLE_BYTES
    argv = [
        ffmpeg(), "-nostdin", "-v", "quiet", "-threads", "1", "-protocol_whitelist", "file", "-format_whitelist", FORMATS,
        "-i", "/in/sound", "-map", "0:a:0", "-t", str(seconds + 1), "-ac", "1", "-ar", str(HZ), "-f", "s16le", "pipe:1",
    ]  # fmt: skip
    samples = await confined.run(confined.sandbox((file, "/in/sound")), argv, LIMITS, seconds=SECONDS, most_bytes=most)
    return samples or None


async def speak(text: str, voice: str, speed: float) -> bytes | None:
    """Speak a text, in Korean where it has Korean letters, else in English; gives a WAV file."""
    language = "ko" if any("가" <= letter <= "힣" or "ㄱ" <= letter <= "ㆎ" for letter in text) else "en-us"
    named = f"{language}+{VARIANTS[voice]}" if voice in VARIANTS else language
    pace = min(FASTEST, max(SLOWEST, round(WORDS_PER_MINUTE * speed)))
    argv = ["espeak-ng", "-b", "1", "-v", named, "-s", str(pace), "--stdin", "--stdout"]
    return await confined.run(
        confined.sandbox(), argv, LIMITS, stdin=text.encode(), seconds=SECONDS, most_bytes=MOST_SPEECH_BYTES
    )


async def encode(wav: bytes, encoding: str) -> bytes | None:
    """Put a WAV file into one of the ENCODINGS."""
    options, _ = ENCODINGS[encoding]
    command = [
        ffmpeg(),
        "-nostdin",
        "-v",
        "quiet",
        "-protocol_whitelist",
        "pipe",
        "-f",
        "wav",
        "-i",
        "pipe:0",
        *options,
    ]
    # By way of a file: into a pipe, a WAV file's own length cannot be written.
    argv = ["sh", "-c", '"$@" /tmp/out && cat /tmp/out', "sh", *command]
    return await confined.run(
        confined.sandbox(), argv, LIMITS, stdin=wav, seconds=SECONDS, most_bytes=MOST_SPEECH_BYTES
    )
