"""Names of handed-in files: what leads out, hides, or would be read as something else is refused before anything is stored."""

from __future__ import annotations

import pytest

from grader.records.blobs import BadUpload, checked_path


@pytest.mark.parametrize(
    "name",
    ["", "/etc/passwd", "../x", "a/../../x", "a/./b", "..", "-rf", "a/--force", "a\\b", "a\nb", "a\x00b", "a\x1b[31m", "a\u202eb",
     "a\ud800b", "a\u200bb", "x" * 201],
)  # fmt: skip
def test_a_bad_name_is_refused_with_a_sentence(name: str) -> None:
    with pytest.raises(BadUpload) as refused:
        checked_path(name)
    assert "쓸 수 없습니다" in refused.value.text.ko


def test_names_are_stored_in_one_form() -> None:
    assert checked_path("한글 이름.md") == "한글 이름.md"
    assert checked_path("\u1112\u1161\u11ab.md") == "한.md"  # as a Mac writes it
    assert checked_path("<script>alert(1)<.txt") == "<script>alert(1)<.txt"
