"""A fork's own randomness: nothing that one server draws can be computed from what another one drew.

The rule: whatever was seeded before the fork is seeded anew from the operating system after it. What a process cannot change
after its start, the seed of its string hashes and the places of its libraries, is the same in all forks of a template.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import random
import sys
from collections.abc import Callable
from typing import Any


def seeded() -> list[Any]:
    """Every generator of pseudo-random numbers that exists by now."""
    kinds: tuple[type, ...] = (random.Random,)
    if "numpy.random" in sys.modules:
        from numpy.random import Generator, RandomState

        kinds += (RandomState, Generator)
    system = random.SystemRandom
    # Some objects do not even let themselves be asked what they are.
    return [
        found for found in gc.get_objects() if issubclass(type(found), kinds) and not issubclass(type(found), system)
    ]


def reseed(generators: list[Any]) -> None:
    """Seed generators anew, and the rest of what Python draws from."""
    for generator in generators:
        _SEED.get(type(generator).__name__, _seed)(generator)
    if numpy := sys.modules.get("numpy.random"):
        numpy.seed()
    if uuid := sys.modules.get("uuid"):
        uuid._last_timestamp = None  # type: ignore[attr-defined]
    multiprocessing.current_process().authkey = os.urandom(32)


def _seed(generator: Any) -> None:
    generator.seed()


def _seed_generator(generator: Any) -> None:
    bits = generator.bit_generator
    bits.state = type(bits)().state


_SEED: dict[str, Callable[[Any], None]] = {"Generator": _seed_generator}
