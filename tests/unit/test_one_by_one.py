"""Pages one by one: in the order of their coming, none beside another, and a long one holds nobody up for long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from hub_config.portal.one_by_one import OneByOne

LONG = 20.0


def begin(work: Callable[[], None], at: OneByOne) -> threading.Thread:
    """Have a thread wait for its turn; it stands in the line when this returns."""

    def run() -> None:
        with at.turn():
            work()

    before = len(at._waiting)
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    deadline = time.monotonic() + LONG
    while len(at._waiting) <= before:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return thread


def begin_through(work: Callable[[], None], at: OneByOne) -> threading.Thread:
    """Have a thread come through and stay."""
    through = threading.Event()

    def run() -> None:
        with at.turn():
            through.set()
            work()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert through.wait(LONG)
    return thread


def test_who_came_first_is_first_and_none_is_beside_another() -> None:
    at, order, inside, most = OneByOne(LONG), list[int](), set[int](), list[int]()

    def work(number: int) -> None:
        inside.add(number)
        time.sleep(0.002)
        most.append(len(inside))
        order.append(number)
        inside.discard(number)

    with at.turn():
        threads = [begin(lambda number=number: work(number), at) for number in range(20)]  # type: ignore[misc]
    for thread in threads:
        thread.join(LONG)
    assert order == list(range(20))
    assert max(most) == 1


def test_one_that_takes_long_is_waited_for_only_for_a_while() -> None:
    at, began = OneByOne(0.2), time.monotonic()
    took: list[float] = []
    with at.turn():
        time.sleep(0.15)
        begin(lambda: took.append(time.monotonic() - began), at).join(LONG)
        begin_through(lambda: took.append(time.monotonic() - began), at).join(LONG)
    assert took[0] >= 0.2, "counted from when the long one began"
    assert took[1] < 10


def test_the_end_of_a_long_one_gives_nobody_elses_turn_away() -> None:
    at, first_done, second_done = OneByOne(0.01), threading.Event(), threading.Event()
    first = begin_through(lambda: assert_set(first_done), at)
    time.sleep(0.02)
    second = begin_through(lambda: assert_set(second_done), at)
    at._most = LONG
    first_done.set()
    first.join(LONG)
    third = begin(lambda: None, at)
    third.join(0.05)
    assert third.is_alive(), "the second one still has its turn"
    second_done.set()
    third.join(LONG)
    assert not third.is_alive()
    second.join(LONG)


def assert_set(event: threading.Event) -> None:
    assert event.wait(LONG)


def test_who_has_the_turn_goes_on_in_it_and_gives_it_up_once() -> None:
    at = OneByOne(LONG)
    with at.turn():
        with at.turn():
            pass
        other = begin(lambda: None, at)
        other.join(0.05)
        assert other.is_alive(), "the inner one's end is not the end"
    other.join(LONG)
    assert not other.is_alive()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_who_fails_gives_the_turn_on(error: type[BaseException]) -> None:
    at = OneByOne(LONG)
    with pytest.raises(error), at.turn():
        raise error
    begin_through(lambda: None, at).join(LONG)


def test_who_gives_up_waiting_leaves_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    at = OneByOne(LONG)

    def give_up(_seconds: float | None) -> bool:
        raise MemoryError

    def come() -> None:
        with pytest.raises(MemoryError), at.turn():
            pass

    with at.turn(), monkeypatch.context() as patched:
        patched.setattr(at._changed, "wait", give_up)
        begun = threading.Thread(target=come, daemon=True)
        begun.start()
        begun.join(LONG)
    assert not at._waiting
    begin_through(lambda: None, at).join(LONG)
