"""Memory that is free, of the machine and of the groups around the process; and the chat model it is enough for."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub_config.models.catalogue import catalogue
from hub_config.models.memory import available_bytes, picked

MB, GB = 10**6, 10**9


def machine(root: Path, available_mb: int, group: str, files: dict[str, str]) -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/meminfo").write_text(f"MemTotal: 99999999 kB\nMemAvailable: {available_mb * 1000} kB\n")
    (root / "proc/self/cgroup").write_text(group)
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


V2 = {
    "memory.max": "max", "memory.current": "1", "memory.stat": "inactive_file 0\n",
    "box/memory.max": "3000000000", "box/memory.current": "2500000000", "box/memory.stat": "anon 5\ninactive_file 400000000\n",
    "box/in/memory.max": "max", "box/in/memory.current": "7", "box/in/memory.stat": "inactive_file 0\n",
}  # fmt: skip
V1 = {
    "memory/memory.limit_in_bytes": "9223372036854771712", "memory/memory.usage_in_bytes": "5",
    "memory/memory.stat": "total_inactive_file 0\n",
    "memory/box/memory.limit_in_bytes": "2000000000", "memory/box/memory.usage_in_bytes": "1500000000",
    "memory/box/memory.stat": "inactive_file 9\ntotal_inactive_file 100000000\n",
}  # fmt: skip


@pytest.mark.parametrize(
    ("group", "files", "free"),
    [
        ("0::/\n", {}, 8000 * 1024 * 1000),
        ("0::/box/in\n", V2, 900 * MB),
        ("9:name=systemd:/\n4:cpu,memory:/box\n0::/\n", V1, 600 * MB),
        ("4:memory:/seen/only/outside\n", V1, 8000 * 1024 * 1000),
        ("0::/box\n", {**V2, "box/memory.current": "9000000000"}, 0),
    ],
)
def test_the_narrowest_limit_counts(tmp_path: Path, group: str, files: dict[str, str], free: int) -> None:
    assert available_bytes(machine(tmp_path, 8000, group, files)) == free


def test_this_machine_has_memory() -> None:
    assert 0 < available_bytes() < 10**15


@pytest.mark.parametrize(
    ("free", "name"),
    [(24 * GB, "qwen2.5-coder-1.5b"), (6 * GB, "qwen2.5-coder-1.5b"), (6 * GB - 1, "qwen2.5-coder-0.5b"),
     (int(2.5 * GB), "qwen2.5-coder-0.5b"), (int(2.5 * GB) - 1, "smollm2-135m"), (0, "smollm2-135m")],
)  # fmt: skip
def test_auto_takes_the_largest_that_fits(free: int, name: str) -> None:
    assert picked("auto", free) == name


def test_a_name_stays_as_it_is() -> None:
    assert picked("smollm2-135m", 99 * GB) == "smollm2-135m"
    assert picked("none", 0) == "none"


def test_what_auto_picks_fits_into_what_it_asks_for() -> None:
    for name in catalogue().of_kind("chat"):
        model = catalogue().models[name]
        assert model.picked_from_bytes is not None
        assert model.picked_from_bytes == 0 or model.memory_bytes < model.picked_from_bytes
