"""From how much on two deliverables are shown. The rule: a number stands here with its reason, and nowhere else.

A share is how much of the shorter one's own marks the other has too, after what was handed out and what most of the class
has is taken away. The reference submissions of the packs set the numbers: honest pairs stay below, an edited copy is above.
"""

from __future__ import annotations

from dataclasses import dataclass

from grader.similarity.prints import Kind


@dataclass(frozen=True)
class Threshold:
    """When a deliverable of a kind is worth a look."""

    share: float
    #: With fewer marks of its own, a deliverable says too little to compare.
    least_marks: int


THRESHOLDS: dict[Kind, Threshold] = {
    # Headings and the facts of a brief are shared by honest people; a copy with every third line reworded keeps half.
    "document": Threshold(0.40, 40),
    # Captions of the same speech are the same words by nature: only nearly everything is worth a look.
    "captions": Threshold(0.80, 40),
    # A structure has few values to choose from (roles, colours of the brief), so more is shared by chance than in prose.
    # A cut list is short: five cuts are fifteen values.
    "json": Threshold(0.60, 8),
    # The same picture saved smaller keeps nine of ten marks; two drawings for one brief share about a third.
    "image": Threshold(0.75, 60),
    # All cut the same footage: frames of another cut are often near ones.
    "video": Threshold(0.80, 200),
}
#: What more than this share of the class has is nobody's own: the same material, the same form, the same AI draft ...
COMMON_SHARE = 0.5
#: ... but in a smaller class two who copied would already be "most".
COMMON_CLASS = 4
