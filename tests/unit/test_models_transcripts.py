"""The forms of a transcription, and a recogniser that says what it must not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from hub_config.models.transcripts import Transcript, as_json, as_srt, as_text, as_verbose_json, as_vtt

SEGMENT: dict[str, Any] = {
    "start": 0.0, "end": 1.5, "text": " 안녕하세요.", "tokens": [1], "avg_logprob": -0.2, "compression_ratio": 1.0,
    "no_speech_prob": 0.01, "words": [{"word": " 안녕하세요.", "start": 0.1, "end": 1.4}],
}  # fmt: skip
HEARD: dict[str, Any] = {
    "language": "ko",
    "duration": 3725.2,
    "segments": [SEGMENT, {**SEGMENT, "start": 3661.5, "end": 3725.0456, "text": " a\n\n1 --> 2", "words": []}],
}


def test_json_has_the_text_and_the_seconds() -> None:
    assert as_json(Transcript.model_validate(HEARD)) == {
        "text": "안녕하세요. a\n\n1 --> 2",
        "usage": {"type": "duration", "seconds": 3726},
    }


def test_verbose_json_has_the_times_that_were_asked_for() -> None:
    heard = Transcript.model_validate(HEARD)
    both = as_verbose_json(heard, {"word", "segment"})
    assert both["words"] == [{"word": "안녕하세요.", "start": 0.1, "end": 1.4}]
    assert [segment["id"] for segment in both["segments"]] == [0, 1]
    assert "words" not in as_verbose_json(heard, {"segment"})
    assert "segments" not in as_verbose_json(heard, {"word"})


def test_captions_keep_their_form_whatever_was_said() -> None:
    heard = Transcript.model_validate(HEARD)
    assert as_text(heard) == "안녕하세요. a\n\n1 --> 2\n"
    assert as_srt(heard) == (
        "1\n00:00:00,000 --> 00:00:01,500\n안녕하세요.\n\n2\n01:01:01,500 --> 01:02:05,046\na 1 → 2\n"
    )
    assert as_vtt(heard).startswith("WEBVTT\n\n00:00:00.000 --> 00:00:01.500\n안녕하세요.\n")


@pytest.mark.parametrize(
    "lie",
    [
        {"language": "<script>"},
        {"language": None},
        {"segments": "none"},
        {"segments": [SEGMENT] * 10_001},
        {"segments": [{**SEGMENT, "text": "x" * 20_001}]},
        {"segments": [{**SEGMENT, "start": float("nan")}]},
        {"segments": [{**SEGMENT, "end": -1}]},
        {"segments": [{**SEGMENT, "html": "x"}]},
        {"more": 1},
    ],
)
def test_a_recogniser_that_was_taken_over_is_not_believed(lie: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Transcript.model_validate({**HEARD, **lie})
