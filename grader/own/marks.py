"""nbgrader's marks of what is not handed out. The rule: a notebook with such a mark in it is refused, whoever sends it.

Marks that were mistyped count too: nbgrader passes them over, and would hand out what stands between them.
"""

from __future__ import annotations

import re
from typing import IO

from grader.records.blobs import BadUpload

_MARK = re.compile(r"#\W*(BEGIN|END)\W+(SOLUTION|HIDDEN\W+TEST|MARK\W+SCHEME)", re.IGNORECASE)


def has_mark(text: str) -> bool:
    """Whether a text has a mark in it that begins or ends what is to be taken out."""
    return _MARK.search(text) is not None


def must_hide_nothing(name: str, stream: IO[bytes]) -> None:
    """Refuse a notebook that was not generated: it would tell what is hidden."""
    if not name.endswith(".ipynb"):
        return
    data = stream.read().decode("utf-8", "replace")
    stream.seek(0)
    if has_mark(data):
        raise BadUpload(
            f"{name}: 풀이나 숨은 테스트가 들어 있습니다. 먼저 배포본을 만드세요(Generate).",
            f"{name} still has a solution or a hidden test in it: generate the release version first",
        )
