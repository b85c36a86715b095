"""The causes of a submission that could not be graded."""

from __future__ import annotations

import re

from grader.engine.causes import CAUSES, OTHER, known


def test_a_cause_has_both_texts_and_an_unknown_one_still_counts() -> None:
    for cause, text in CAUSES.items():
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", cause)
        assert re.search("[가-힣]", text.ko)
        assert not re.search("[가-힣]", text.en)
        assert known(cause) == cause
    assert known("a word of another version") == known("") == OTHER
    assert list(CAUSES)[-1] == OTHER, "where nothing tells more, it is named last"
