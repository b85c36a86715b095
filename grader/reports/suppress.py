"""Hiding small groups: what is told is told of blocks of cells, and no block holds one to four people of a kind.

The finest cells of a table (here: the learners of an institution in an occupation) are put together into blocks until, in
each block, each kind of people that is told apart counts none or at least five. A group is told only if it is made of whole
blocks. So every number that is told is a sum of block numbers, whoever asks for what and however numbers are added and
subtracted; and a block number is never a small one. Which blocks are put together is chosen so that the groups that matter
most stay whole.

Several things can be told of the same people at different depths (how many there are finely, how they stand coarsely): start
each coarser depth from the blocks of the finer one, so that its blocks are made of whole ones. Then a combination of both
depths is one number per fine block plus one per coarse block and kind; where such a combination counts a set of people, that
set is made of whole blocks of one of the two, since it can only be 0 or 1 of every kind at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping

SMALLEST = 5
Block = frozenset[Hashable]
#: How many of each kind a cell counts.
Kinds = Mapping[Hashable, int]


def blocks(cells: Mapping[Hashable, Kinds], start: Iterable[Block], groups: Mapping[Block, int]) -> tuple[Block, ...]:
    """Put blocks together until each is safe; `groups` are those that should stay whole, with what each is worth.

    A block that cannot be made safe, because all cells together are few, is left out: nothing is told of it.
    """
    kept = {block: _kinds(cells, block) for block in start}
    worth = list(groups.items())
    inside = {block: _inside(block, worth) for block in kept}
    while True:
        unsafe = min(
            (block for block in kept if not _safe(kept[block])), key=lambda b: _order(kept[b], b), default=None
        )
        if unsafe is None or len(kept) == 1:
            return tuple(sorted((b for b in kept if _safe(kept[b])), key=_name))
        partner = min(
            (block for block in kept if block != unsafe),
            key=lambda b: (_lost(inside[unsafe] ^ inside[b], worth), *_order(kept[b], b)),
        )
        # A group that holds one of the two and not the other is whole no more.
        cut = inside[unsafe] ^ inside[partner]
        inside[unsafe | partner] = inside.pop(unsafe) & inside.pop(partner)
        inside = {block: groups_of & ~cut for block, groups_of in inside.items()}
        kept[unsafe | partner] = kept.pop(unsafe) + kept.pop(partner)


def is_told(group: Collection[Hashable], told: Iterable[Block]) -> bool:
    """Whether a group is made of whole blocks; the empty group is."""
    wanted = set(group)
    return wanted == {cell for block in told if block <= wanted for cell in block}


def _kinds(cells: Mapping[Hashable, Kinds], block: Block) -> Counter[Hashable]:
    found: Counter[Hashable] = Counter()
    for cell in block:
        found.update(cells[cell])
    return found


def _safe(kinds: Kinds) -> bool:
    return not any(0 < many < SMALLEST for many in kinds.values())


def _order(kinds: Kinds, block: Block) -> tuple[int, str]:
    return sum(kinds.values()), _name(block)


def _name(block: Block) -> str:
    return min(map(repr, block))


def _inside(block: Block, worth: list[tuple[Block, int]]) -> int:
    """The groups that hold a block, as bits."""
    return sum(1 << n for n, (group, _) in enumerate(worth) if block <= group)


def _lost(bits: int, worth: list[tuple[Block, int]]) -> int:
    """What the groups of these bits are worth together."""
    lost = 0
    while bits:
        lost += worth[(bits & -bits).bit_length() - 1][1]
        bits &= bits - 1
    return lost
