"""What the template looks at in itself: it finds what it looks for, and wakes nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from hub_config.quick import homes
from hub_config.quick.join import must_have_left, process_space
from hub_config.quick.template import last_written


class Lazy:
    """As openai's clients are until somebody looks at them."""

    woken = False

    @property
    def __class__(self) -> Any:
        Lazy.woken = True
        return str


class Words(str):
    """A text of another kind."""


def test_a_home_is_found_wherever_it_was_noted_and_put_right() -> None:
    held: dict[str, Any] = {
        "text": f"{homes.NOBODYS}/a",
        "kind": Words(f"{homes.NOBODYS}/b"),
        "bytes": f"{homes.NOBODYS}/c".encode(),
        "list": [("x", f"{homes.NOBODYS}/d")],
        "other": "/home",
    }
    found = [one for one in homes.noted() if one[0] is held]
    assert {name for _held, name, _value in found} == {"text", "kind", "bytes", "list"}
    homes.move_in(found, "/home/ann")
    assert held == {
        "text": "/home/ann/a", "kind": "/home/ann/b", "bytes": b"/home/ann/c", "list": [("x", "/home/ann/d")], "other": "/home",
    }  # fmt: skip


def test_looking_for_homes_wakes_nothing_that_comes_when_it_is_looked_at() -> None:
    held: dict[str, Any] = {"lazy": Lazy(), "home": homes.NOBODYS}
    assert [name for one, name, _value in homes.noted() if one is held] == ["home"]
    assert not Lazy.woken


def test_a_file_that_was_written_came_or_went_is_noticed(tmp_path: Path) -> None:
    one, other = tmp_path / "one.py", tmp_path / "other.py"
    one.write_text("")
    files = b"\0".join(os.fsencode(path) for path in (one, other))
    seen = [last_written(files)]
    assert last_written(files) == seen[0]
    os.utime(one, (1, 1))
    seen.append(last_written(files))
    other.write_text("")
    seen.append(last_written(files))
    one.unlink()
    seen.append(last_written(files))
    assert len(set(seen)) == 4


def test_who_is_still_among_the_machines_processes_goes_no_further() -> None:
    """A nursery kills whatever it sees at its end: as root on the machine itself, that is everything."""
    must_have_left("pid:[1]")
    with pytest.raises(RuntimeError, match="no process namespace of its own"):
        must_have_left(process_space())
