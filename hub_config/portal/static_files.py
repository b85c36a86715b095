"""Styles, scripts and fonts as files. The rule: they hold nothing personal, so a browser may keep them and they may be packed.

Pages are never packed: one that holds a form's token beside what somebody sent could be guessed by its length.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from fastapi.responses import FileResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import Headers

KEEP = "public, max-age=86400"
PACKED = ("text/css", "text/javascript")


class Assets(StaticFiles):
    """A folder of such files."""

    async def get_response(self, path: str, scope: Any) -> Response:
        """Give a file, packed where the browser takes it so."""
        return packed(await super().get_response(path, scope), Headers(scope=scope))


def packed(response: Response, asked: Mapping[str, str]) -> Response:
    """The file of a response, packed where that is worth it; to be kept for a day."""
    kind = response.headers.get("content-type", "").split(";")[0]
    if isinstance(response, FileResponse) and kind in PACKED and "gzip" in asked.get("accept-encoding", ""):
        content = _pack(Path(response.path).read_bytes())
        response = Response(content, media_type=kind, headers={"content-encoding": "gzip"})
    response.headers["cache-control"] = KEEP
    response.headers["vary"] = "accept-encoding"
    return response


@lru_cache(maxsize=32)
def _pack(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)
