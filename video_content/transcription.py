"""Speech recognition of the narration, once: `python -m video_content.material transcribe`.

The rule this module keeps: what the recogniser heard stays as it heard it (`heard`, `words`). Whisper invents words in long
silences, so it gets one stretch of speech at a time, and every line of the transcript is one stretch. A line that it
heard so badly that nobody could work with it is proofread from the script, as an assistant editor would, and says so.
"""

from __future__ import annotations

import hashlib
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from video_content.cuts import Range, speech_ranges
from video_content.media import Sound, read_sound
from video_content.script import Key
from video_content.wording import likeness

WHISPER_HZ = 16_000
#: A line is proofread when less than this of it was heard right.
LEGIBLE = 0.7
#: Speech either side of a pause shorter than this is one line.
LINE_PAUSE_SECONDS = 0.7
#: Quiet around a stretch, so that its first and last sounds are heard whole.
PAD_SECONDS = 0.3
#: Whisper's model file, wherever it was fetched from.
MODEL_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
SETTINGS: dict[str, Any] = {
    "temperature": 0,
    "condition_on_previous_text": False,
    "beam_size": 5,
    "no_repeat_ngram_size": 3,
    "max_new_tokens": 60,
    "word_timestamps": True,
}


def transcribe(narration: Path, key: Key, lang: str, weights: str) -> dict[str, object]:
    """Recognise the speech of a narration; weights is a folder with Whisper base (checked), or a name to fetch."""
    _check_weights(weights)
    model = import_module("faster_whisper").WhisperModel(weights, device="cpu", compute_type="int8", cpu_threads=2)
    sound = read_sound(narration, WHISPER_HZ)
    lines = []
    for number, stretch in enumerate(speech_ranges(read_sound(narration), LINE_PAUSE_SECONDS), 1):
        words = _words(model, sound, stretch, lang)
        heard = " ".join("".join(word["w"] for word in words).split())
        text = _proofread(heard, stretch, key)
        lines.append(
            {
                "id": f"L{number:02}",
                "start": round(stretch.start, 2),
                "end": round(stretch.end, 2),
                "text": text,
                "heard": heard,
                "proofread": text != heard,
                "words": [{**word, "w": word["w"].strip()} for word in words],
            }
        )
    return {
        "source": narration.name,
        "source_sha256": hashlib.sha256(narration.read_bytes()).hexdigest(),
        "model": "Whisper base (int8)",
        "model_sha256": MODEL_SHA256,
        "software": f"faster-whisper {version('faster-whisper')}",
        "settings": {"language": lang, **SETTINGS},
        "lines": lines,
    }


def _proofread(heard: str, stretch: Range, key: Key) -> str:
    """Give the script's words where the recogniser's are no use, and the stretch is one whole moment."""
    said = [m for m in key.moments if m.start < stretch.end and m.end > stretch.start]
    whole = len(said) == 1 and said[0].end - said[0].start < stretch.seconds + LINE_PAUSE_SECONDS
    if whole and max(likeness(heard, words) for words in (said[0].text, *said[0].also)) < LEGIBLE:
        return said[0].text
    return heard


def _check_weights(weights: str) -> None:
    model_file = Path(weights) / "model.bin"
    if model_file.is_file() and hashlib.sha256(model_file.read_bytes()).hexdigest() != MODEL_SHA256:
        raise SystemExit(f"{model_file}: not Whisper base int8; the transcript would be another's")


def _words(model: Any, sound: Sound, stretch: Range, lang: str) -> list[dict[str, Any]]:
    first = max(0.0, stretch.start - PAD_SECONDS)
    part = sound[int(first * WHISPER_HZ) : int((stretch.end + PAD_SECONDS) * WHISPER_HZ)]
    segments, _ = model.transcribe(np.ascontiguousarray(part), language=lang, **SETTINGS)
    heard = [word for segment in segments for word in segment.words or []]
    times = np.clip([[first + word.start, first + word.end] for word in heard], stretch.start, stretch.end)
    return [
        {"w": word.word, "start": round(float(start), 2), "end": round(float(end), 2)}
        for word, (start, end) in zip(heard, times, strict=True)
    ]
