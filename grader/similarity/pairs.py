"""From fingerprints to pairs that are worth a look. Pure. The rule: who comes first changes nothing, and no pair is a verdict."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations

from grader.similarity import texts
from grader.similarity.prints import MAX_MARKS, Kind, Part, Print
from grader.similarity.result import MAX_EXCERPT, MAX_PASSAGES, Alike, Pair, Passage
from grader.similarity.thresholds import COMMON_CLASS, COMMON_SHARE, THRESHOLDS

#: More pairs than this are no place to look any more.
MAX_PAIRS = 100

Cut = Callable[[str], texts.Units]
NOTHING: frozenset[int] = frozenset()


class _Shelf:
    """One deliverable of everybody, with what does not count taken away."""

    def __init__(self, prints: Sequence[Print], path: str, material: frozenset[int]) -> None:
        kind = next(part.kind for p in prints if (part := p.part(path)) is not None)
        self.threshold = THRESHOLDS[kind]
        self.found = {p.learner: part for p in prints if (part := p.part(path)) is not None and not part.problem}
        self.nobodys = material | _common(self.found.values())
        self.own = {learner: frozenset(part.marks) - self.nobodys for learner, part in self.found.items()}
        # Most of honest work is in one submission only: what two have is a small set, and quickly compared.
        held = Counter(m for own in self.own.values() for m in own)
        self.shared = {learner: frozenset(m for m in own if held[m] > 1) for learner, own in self.own.items()}
        counted = Counter(part.sha256 for part in self.found.values())
        self.everywhere = {sha for sha, count in counted.items() if _is_common(count, len(self.found))}

    def share(self, first: str, second: str) -> float:
        """How much of the shorter one's own marks the other has; 0 where one of them says too little."""
        one, other = self.own.get(first, NOTHING), self.own.get(second, NOTHING)
        if min(len(one), len(other)) < self.threshold.least_marks:
            return 0.0
        both = self.shared[first] & self.shared[second]
        if not both:
            return 0.0
        if (end := _end_of_sample(self.found[first], self.found[second])) is not None:
            one, other, both = (frozenset(m for m in marks if m <= end) for marks in (one, other, both))
        return len(both) / max(1, min(len(one), len(other)))

    def is_same_file(self, first: str, second: str) -> bool:
        """Whether both handed in the very same bytes, and not everybody did."""
        sha = self.found[first].sha256
        return bool(sha) and sha == self.found[second].sha256 and sha not in self.everywhere


def find_pairs(prints: Iterable[Print], material: Iterable[int] = ()) -> list[Pair]:
    """Every pair with a deliverable that is notably alike, the most alike first, at most MAX_PAIRS."""
    everybody = sorted(prints, key=lambda p: p.learner)
    handed_out = frozenset(material)
    paths = dict.fromkeys(part.path for p in everybody for part in p.parts)
    shelves = {path: _Shelf(everybody, path, handed_out) for path in paths}
    found: list[Pair] = []
    for one, other in combinations([p.learner for p in everybody], 2):
        # Most of the many pairs have nothing in common: what is not notable is told only beside what is.
        if any(shelf.share(one, other) >= shelf.threshold.share for shelf in shelves.values()):
            parts = [a for path, shelf in shelves.items() if (a := _compare(shelf, path, one, other)) is not None]
            found.append(Pair(first=one, second=other, parts=tuple(parts)))
    best = sorted(found, key=lambda pair: pair.rank)[:MAX_PAIRS]
    return [_with_passages(pair, shelves) for pair in best]


def _compare(shelf: _Shelf, path: str, first: str, second: str) -> Alike | None:
    if first not in shelf.found or second not in shelf.found:
        return None
    share = shelf.share(first, second)
    return Alike(
        path=path, kind=shelf.found[first].kind, share=round(share, 3), notable=share >= shelf.threshold.share,
        identical=share > 0 and shelf.is_same_file(first, second),
    )  # fmt: skip


def _with_passages(pair: Pair, shelves: Mapping[str, _Shelf]) -> Pair:
    parts = tuple(
        part.model_copy(update={"passages": _where(shelves[part.path], pair.first, pair.second)})
        if part.notable
        else part
        for part in pair.parts
    )
    return pair.model_copy(update={"parts": parts})


def _where(shelf: _Shelf, first: str, second: str) -> tuple[Passage, ...]:
    one, other = shelf.found[first], shelf.found[second]
    shared = shelf.own[first] & shelf.own[second]
    for cut in _cuts(one.kind):
        if found := passages(cut(one.text), cut(other.text), shared):
            return found
    return ()


def _cuts(kind: Kind) -> list[Cut]:
    by_text: list[Cut] = [lambda text: texts.units_of(text, "ko"), lambda text: texts.units_of(text, "en")]
    return [texts.leaf_units, *by_text] if kind == "json" else by_text


def passages(first: texts.Units, second: texts.Units, shared: Iterable[int]) -> tuple[Passage, ...]:
    """The longest passages that both have, made of shared marks only; none stands in another."""
    wanted, places = frozenset(shared), defaultdict[int, list[int]](list)
    ours, theirs = first.marks(), second.marks()
    for at, m in enumerate(ours):
        if m in wanted:
            places[m].append(at)
    runs: list[tuple[int, int, int]] = []
    here = 0
    while here < len(theirs):
        length, there = max(
            ((_run(ours, theirs, at, here, wanted), at) for at in places[theirs[here]][:20]), default=(0, 0)
        )
        if length:
            runs.append((length, there, here))
        here += max(1, length)
    longest = sorted(runs, key=lambda run: (-run[0], run[2]))[:MAX_PASSAGES]
    return tuple(Passage(first=_shown(first, a, n), second=_shown(second, b, n)) for n, a, b in longest)


def _run(ours: Sequence[int], theirs: Sequence[int], at: int, here: int, wanted: frozenset[int]) -> int:
    length = 0
    while at + length < len(ours) and here + length < len(theirs):
        if ours[at + length] != theirs[here + length] or ours[at + length] not in wanted:
            break
        length += 1
    return length


def _shown(units: texts.Units, at: int, marks: int) -> str:
    start, end = units.spans[at][0], units.spans[at + marks + units.run - 2][1]
    # Whole words are easier to read and to find again.
    start = max(units.text.rfind(sign, 0, start) for sign in " \n") + 1
    after = [place for sign in " \n" if (place := units.text.find(sign, end)) >= 0]
    said = units.text[start : min(after, default=len(units.text))]
    return said if len(said) <= MAX_EXCERPT else f"{said[: MAX_EXCERPT - 2]} …"


def _is_common(count: int, everybody: int) -> bool:
    return everybody >= COMMON_CLASS and count > everybody * COMMON_SHARE


def _common(parts: Iterable[Part]) -> frozenset[int]:
    """The marks that most of the class has."""
    everybody = list(parts)
    counted = Counter(m for part in everybody for m in set(part.marks))
    return frozenset(m for m, count in counted.items() if _is_common(count, len(everybody)))


def _end_of_sample(one: Part, other: Part) -> int | None:
    """Of a very long text only the smallest marks are kept: up to here both samples are whole."""
    return min((max(part.marks) for part in (one, other) if len(part.marks) >= MAX_MARKS), default=None)
