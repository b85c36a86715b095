"""Checks on what the clip is made of: the moments the client asked for, and none of those to leave out.

The rule this module keeps: what is in the clip is found by comparing its sound and its picture with the source; the cut list
is not asked. The key's times and words never reach the learner before the clip is handed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from labs.checks import CheckResult, Finding, failed, passed, share
from labs.texts import Text
from video_content.align import Alignment, align
from video_content.captions import timecode
from video_content.delivery import open_clip, unplayable
from video_content.media import MediaError
from video_content.script import Moment, read_key

#: A moment is there when this share of its speech is; a trimmed first breath does no harm.
WHOLE = 0.85
#: Less than this is no moment, only its edge.
TRACE = 0.2
#: With less of the source than this in it, a clip is not a cut of this interview.
LEAST_MATCHED_SECONDS = 3.0


def open_aligned(folder: Path, file: str, source: Path) -> Alignment | CheckResult:
    """Align a submission's clip with the source, or give the result that says why not."""
    clip = open_clip(folder, file)
    if isinstance(clip, CheckResult):
        return clip
    try:
        found = align(clip, source)
    except MediaError as error:
        return unplayable(file, error)
    if found.matched_seconds < LEAST_MATCHED_SECONDS:
        return failed(
            Text(
                ko=f"{file}에서 원본 인터뷰의 말소리를 찾지 못했습니다.",
                en=f"{file} has no speech of the source interview in it.",
            ),
            Text(
                ko="interview.mp4를 속도 변화 없이 잘라서 만드세요.",
                en="Cut it from interview.mp4 without changing the speed.",
            ),
            where=file,
        )
    return found


def keeps_moments(folder: Path, *, file: str, source: Path, key: Path) -> CheckResult:
    """Check that each required moment is in the clip, with its own sound and picture."""
    found = open_aligned(folder, file, source)
    if isinstance(found, CheckResult):
        return found
    required = read_key(key).required
    judged = [_judge_required(found, moment) for moment in required]
    lost = sum(1 - points for points, _ in judged)
    # A clip without one of the client's points cannot be used: each costs double.
    return share(len(required) - 2 * lost, len(required), [finding for _, finding in judged])


def _judge_required(found: Alignment, moment: Moment) -> tuple[float, Finding]:
    heard = found.share_of(moment.start, moment.end, with_picture=False)
    seen = found.share_of(moment.start, moment.end, with_picture=True)
    about, where = moment.about, _where(found, moment)
    if seen >= WHOLE:
        return 1, Finding(
            ok=True, where=where, found=Text(ko=f"들어 있습니다: {about.ko}", en=f"It is there: {about.en}")
        )
    if heard >= WHOLE:
        return 0, Finding(
            where=where,
            found=Text(
                ko=f"소리는 있으나 그 순간의 화면이 아닙니다: {about.ko}",
                en=f"The sound is there over another picture: {about.en}",
            ),
            right=Text(ko="말하는 순간의 화면을 그대로 쓰세요.", en="Keep the picture of the moment that is heard."),
        )
    right = Text(
        ko=f"원본 {timecode(moment.start)}-{timecode(moment.end)} 구간을 넣으세요.",
        en=f"Put in the source from {timecode(moment.start)} to {timecode(moment.end)}.",
    )
    if seen < TRACE:
        return 0, Finding(where=where, right=right, found=Text(ko=f"빠졌습니다: {about.ko}", en=f"Missing: {about.en}"))
    return seen / 2, Finding(
        where=where,
        right=right,
        found=Text(
            ko=f"말이 잘렸습니다({seen:.0%}만 남음): {about.ko}", en=f"Cut short ({seen:.0%} is left): {about.en}"
        ),
    )


def drops_moments(
    folder: Path, *, file: str, source: Path, key: Path, weights: Mapping[str, float] | None = None
) -> CheckResult:
    """Check that no rejected moment is heard in the clip; `weights` says which roles count for more than one."""
    found = open_aligned(folder, file, source)
    if isinstance(found, CheckResult):
        return found
    rejected = read_key(key).rejected
    weigh = weights or {}
    findings, lost = [], 0.0
    for moment in rejected:
        heard = found.share_of(moment.start, moment.end, with_picture=False)
        if heard >= TRACE:
            lost += weigh.get(moment.role, 1)
            findings.append(_left_in(found, moment))
    if not findings:
        return passed(
            f"덜어 낼 {len(rejected)}곳이 모두 빠졌습니다.", f"All {len(rejected)} moments to leave out are out."
        )
    return share(max(0.0, 1 - lost / (sum(weigh.get(m.role, 1) for m in rejected) / 2)), 1, findings)


def _left_in(found: Alignment, moment: Moment) -> Finding:
    about = moment.about
    return Finding(
        where=_where(found, moment),
        found=Text(ko=f"남아 있습니다: {about.ko}", en=f"Still in it: {about.en}"),
        right=Text(
            ko=f"원본 {timecode(moment.start)}-{timecode(moment.end)} 구간을 빼세요.",
            en=f"Leave out the source from {timecode(moment.start)} to {timecode(moment.end)}.",
        ),
    )


def _where(found: Alignment, moment: Moment) -> str:
    """Give the time code in the final where it is heard, else the one in the source."""
    places = found.occurrences(moment.start, moment.end)
    return timecode(places[0][0]) if places else f"interview.mp4 {timecode(moment.start)}"
