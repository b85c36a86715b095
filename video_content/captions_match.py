"""Check on captions against what is said in the clip: the same words at the same time, figures and negations kept.

The rule this module keeps: what is said is known from the source's script and from where the clip's sound was found in the
source, not from the cut list and not from speech recognition.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from labs.checks import CheckResult, Finding, share
from labs.texts import Text
from video_content.align import STEP_SECONDS, Alignment
from video_content.captions import MARKUP, Cue, read_cues, timecode
from video_content.moments import TRACE, open_aligned
from video_content.script import Moment, read_key
from video_content.wording import likeness

#: Likeness from which a caption says what is said, and from which it says about half of it.
SAME, HALF = 0.8, 0.6
#: A caption belongs to what is heard while it shows, for this long or for half its time.
SHARED_SECONDS = 0.5
#: A moment of which less is heard needs no caption.
HEARD = 0.5
#: So many wordings of a group are tried at most.
MAX_WORDINGS = 24


@dataclass
class Passage:
    """Speech of the clip that shares captions: when, which moments, which captions."""

    start: float
    end: float
    moments: list[Moment]
    cues: list[Cue]


def match_speech(folder: Path, *, file: str, captions: str, source: Path, key: Path) -> CheckResult:
    """Check that everything said in the clip is captioned in the same words, and nothing else is."""
    cues = read_cues(folder, captions)
    if isinstance(cues, CheckResult):
        return cues
    found = open_aligned(folder, file, source)
    if isinstance(found, CheckResult):
        return found
    spoken = [
        (start, end, moment)
        for moment in read_key(key).moments
        if found.share_of(moment.start, moment.end, with_picture=False) >= max(HEARD, TRACE)
        for start, end in found.occurrences(moment.start, moment.end)
        if end - start >= HEARD * (moment.end - moment.start)
    ]
    passages, stray = group(sorted(spoken, key=lambda s: s[0]), cues)
    stray = [cue for cue in stray if not _is_heard(cue, found)]
    judged = [(len(p.moments), *_judge(p)) for p in passages]
    earned = sum(count * points for count, points, _ in judged)
    findings = sorted([f for _, _, f in judged] + [_stray(cue) for cue in stray], key=lambda f: f.ok)
    return share(earned, sum(count for count, _, _ in judged) + len(stray), findings)


def group(spoken: Sequence[tuple[float, float, Moment]], cues: Sequence[Cue]) -> tuple[list[Passage], list[Cue]]:
    """Put together the speech that shares a caption; captions that show while nobody speaks come back apart."""
    passages: list[Passage] = []
    left = list(cues)
    for start, end, moment in spoken:
        mine = [cue for cue in cues if _belongs(cue, start, end)]
        left = [cue for cue in left if cue not in mine]
        if passages and mine and any(cue in passages[-1].cues for cue in mine):
            last = passages[-1]
            last.end, last.moments = end, [*last.moments, moment]
            last.cues += [cue for cue in mine if cue not in last.cues]
        else:
            passages.append(Passage(start, end, [moment], mine))
    return passages, left


def _is_heard(cue: Cue, found: Alignment) -> bool:
    """Tell whether the source is heard while a caption shows: a scrap of a moment may be captioned, and need not be."""
    steps = found.source_seconds[int(cue.start / STEP_SECONDS) : int(cue.end / STEP_SECONDS)]
    return bool(np.count_nonzero(~np.isnan(steps)) * STEP_SECONDS >= SHARED_SECONDS)


def _belongs(cue: Cue, start: float, end: float) -> bool:
    shared = min(cue.end, end) - max(cue.start, start)
    return shared >= min(SHARED_SECONDS, (cue.end - cue.start) / 2)


def _judge(passage: Passage) -> tuple[float, Finding]:
    shown = MARKUP.sub("", " ".join(cue.text for cue in sorted(passage.cues, key=lambda c: c.start)))
    said = " ".join(moment.text for moment in passage.moments)
    where, right = timecode(passage.start), Text(ko=f"들리는 말: {said}", en=f"What is said: {said}")
    if not passage.cues:
        return 0, Finding(
            where=where,
            right=right,
            found=Text(ko="말하는 동안 자막이 없습니다.", en="Somebody speaks, no caption shows."),
        )
    lost = [m.about for m in passage.moments if m.fact and not re.search(m.fact, shown, re.I)]
    if lost:
        return 0, Finding(
            where=where,
            right=right,
            found=Text(
                ko=f"자막에서 중요한 사실이 빠지거나 바뀌었습니다: {lost[0].ko} (자막: {shown[:80]})",
                en=f"The caption lost or changed a fact: {lost[0].en} (caption: {shown[:80]})",
            ),
        )
    alike = max(likeness(shown, words) for words in _wordings(passage.moments))
    if alike >= SAME:
        return 1, Finding(
            ok=True, where=where, found=Text(ko=f"말과 같습니다: {shown[:80]}", en=f"As it is said: {shown[:80]}")
        )
    return (0.5 if alike >= HALF else 0), Finding(
        where=where,
        right=right,
        found=Text(
            ko=f"자막이 말과 다릅니다({alike:.0%} 일치): {shown[:80]}",
            en=f"The caption differs from what is said ({alike:.0%} alike): {shown[:80]}",
        ),
    )


def _wordings(moments: Sequence[Moment]) -> list[str]:
    ways = product(*((moment.text, *moment.also) for moment in moments))
    return [" ".join(way) for way, _ in zip(ways, range(MAX_WORDINGS), strict=False)]


def _stray(cue: Cue) -> Finding:
    return Finding(
        where=cue.where,
        found=Text(
            ko=f"이 자막이 나오는 동안 그런 말이 들리지 않습니다: {cue.text[:60]}",
            en=f"Nothing like this is said while the caption shows: {cue.text[:60]}",
        ),
        right=Text(ko="말이 들리는 시각으로 옮기거나 지우세요.", en="Move it to where it is said, or take it out."),
    )
