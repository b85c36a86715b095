"""The transcriptions' worker: `python -m hub_config.models.hear FOLDER THREADS`, with Whisper by faster-whisper.

The rule: it sees samples, never a file; decoding is done before, in a process that lives for one file only.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import faster_whisper
import numpy as np

from hub_config.models import jobs


def load() -> jobs.Handler:
    """Load the weights."""
    model = faster_whisper.WhisperModel(sys.argv[1], device="cpu", compute_type="int8", cpu_threads=int(sys.argv[2]))
    return partial(_transcribe, model)


def _transcribe(
    model: faster_whisper.WhisperModel, job: dict[str, Any], samples: bytes
) -> tuple[dict[str, Any], bytes]:
    """Write down 16 kHz samples; the same sound always gives the same words."""
    sound = np.frombuffer(samples, "<i2").astype(np.float32) / 32768
    # Conditioned on what it wrote before, at another temperature, or over silence, Whisper repeats itself and invents.
    segments, about = model.transcribe(
        sound, language=job["language"], initial_prompt=job["prompt"], word_timestamps=job["words"], temperature=0,
        condition_on_previous_text=False, no_repeat_ngram_size=3, vad_filter=True,
    )  # fmt: skip
    found = [
        {"start": round(s.start, 3), "end": round(s.end, 3), "text": s.text, "tokens": s.tokens, "avg_logprob": s.avg_logprob,
         "compression_ratio": s.compression_ratio, "no_speech_prob": s.no_speech_prob,
         "words": [{"word": w.word, "start": round(w.start, 3), "end": round(w.end, 3)} for w in s.words or []]}
        for s in segments
    ]  # fmt: skip
    return {"language": about.language, "segments": found}, b""


if __name__ == "__main__":
    jobs.serve(load)
