"""The disk is full, slow or wrong, the process is killed for good: what is acknowledged stands, and nothing else is given out."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ledger_support import ANN, NO_LIMITS, Clock, leaf_sums, open_ledger, opening, receipt_sums, rows, spool_files

from hub_config.ai_gateway.ledger import Amount, Ledger, LedgerError, Place, Settlement, verify
from hub_config.ai_gateway.ledger import spool as spool_module
from hub_config.ai_gateway.ledger.leases import Leases
from hub_config.ai_gateway.ledger.store import Store

SLOW = 3600.0


async def test_the_spool_does_not_grow_while_long_calls_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "SEGMENT_BYTES", 20_000)
    path = tmp_path / "a" / "ledger.sqlite"
    ledger = await open_ledger(path, commit_seconds=SLOW)
    earlier = opening()
    await ledger.reserve(earlier, NO_LIMITS)
    for turn in range(6):
        later = opening()
        await ledger.reserve(later, NO_LIMITS)
        for _ in range(30):
            call = opening()
            await ledger.reserve(call, NO_LIMITS)
            ledger.settle(call.receipt, Settlement("ok", cost_krw=1))
        ledger.settle(earlier.receipt, Settlement("ok", cost_krw=1))
        earlier = later
        await ledger.flush()
        assert sum(file.stat().st_size for file in spool_files(path)) < 80_000, turn
    ledger.settle(earlier.receipt, Settlement("ok", cost_krw=1))
    await ledger.flush()
    assert [file.stat().st_size < 200 for file in spool_files(path)] == [True]
    await ledger.close()


async def test_a_full_disk_gives_nothing_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = await open_ledger(tmp_path / "a" / "ledger.sqlite", commit_seconds=SLOW)
    running = opening(5)
    await ledger.reserve(running, NO_LIMITS)

    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    for write in (full, lambda file, line, offset: len(line) // 2):
        with monkeypatch.context() as patch:
            patch.setattr(os, "pwrite", write)
            with pytest.raises(LedgerError, match="spool"):
                await ledger.reserve(opening(5), NO_LIMITS)
    assert ledger.spent(ANN) == (Amount(), Amount(5, 10))
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        assert ledger.settle(running.receipt, Settlement("ok", cost_krw=4)) == 4  # it was made: it counts
    (row,) = await ledger.spend("lab")
    assert (row["calls"], row["cost_krw"]) == (1, 4)
    await ledger.close()


async def test_while_the_database_cannot_be_written_no_money_is_given_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = await open_ledger(tmp_path / "a" / "ledger.sqlite", commit_seconds=0.01)
    call = opening(5)
    await ledger.reserve(call, NO_LIMITS)
    with monkeypatch.context() as patch:
        patch.setattr(Store, "head", _failing)
        ledger.settle(call.receipt, Settlement("ok", cost_krw=4))
        await asyncio.sleep(0.1)
        for _ in range(2):
            with pytest.raises(LedgerError, match="disk I/O"):
                await ledger.reserve(opening(1), NO_LIMITS)
        assert ledger.unwritten() == 1
    assert await ledger.reserve(opening(1), NO_LIMITS) is None
    assert ledger.unwritten() == 0
    assert ledger.spent(ANN) == (Amount(4, 10), Amount(1, 10))
    await ledger.close()


async def test_a_commit_of_which_nobody_knows_how_it_ended_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a" / "ledger.sqlite"
    ledger = await open_ledger(path, commit_seconds=SLOW)
    real = Store.write

    def written_but_not_told(*values: Any) -> None:
        real(*values)
        _failing()

    for krw in (2, 3):
        call = opening(5)
        await ledger.reserve(call, NO_LIMITS)
        with monkeypatch.context() as patch:
            patch.setattr(Store, "write", written_but_not_told)
            ledger.settle(call.receipt, Settlement("ok", cost_krw=krw))
            with pytest.raises(LedgerError, match="disk I/O"):
                await ledger.flush()
        await ledger.flush()
    assert rows(path, "SELECT number, cost_krw FROM receipts") == [(1, 2), (2, 3)]
    assert receipt_sums(path) == leaf_sums(path)
    await ledger.close()


def test_a_lease_that_a_commit_makes_smaller_counts_as_smaller_while_it_runs() -> None:
    """Else a call could be let through on the old one just before the disk forgets it."""
    leases = Leases(Amount(20, 0))
    leaf = leases.leaf(ANN, Clock()().date())
    leaf.leased = Amount(100, 0)
    leases.touch(leaf)
    (written,) = leases.cut(leaf.day)
    assert written.leased == Amount(20, 0)
    assert not leaf.covers(Amount(21, 0))
    leases.undone([written])
    assert not leaf.covers(Amount(21, 0))


def _failing(*_: Any) -> Any:
    raise sqlite3.OperationalError("disk I/O error")


CHILD = """
import asyncio, sys
from pathlib import Path
from ledger_support import ANN, limits, open_ledger, opening
from hub_config.ai_gateway.config import Limit
from hub_config.ai_gateway.ledger import Place, Settlement
from hub_config.ai_gateway.ledger import spool
spool.SEGMENT_BYTES = 5_000

async def learner(ledger, place):
    while True:
        call = opening(3, 30, place)
        assert await ledger.reserve(call, limits()) is None
        print("open", call.receipt, flush=True)
        await asyncio.sleep(0.001)
        print("ok", call.receipt, ledger.settle(call.receipt, Settlement("ok", cost_krw=2)), flush=True)

async def main():
    ledger = await open_ledger(Path(sys.argv[1]), commit_seconds=0.005)
    print("ready", flush=True)
    await asyncio.gather(*(learner(ledger, Place(f"u{n}", "video", "-")) for n in range(4)))

asyncio.run(main())
"""


@pytest.mark.long
def test_killed_thirty_times_it_keeps_every_acknowledged_call(tmp_path: Path) -> None:
    path = tmp_path / "gateway" / "ledger.sqlite"
    path.parent.mkdir(mode=0o700)
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": f"{root / 'tests' / 'support'}:{root}"}
    chance = random.Random(7)
    settled: dict[str, int] = {}
    opened: set[str] = set()
    for _ in range(30):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(path)], env=environment, stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        until = chance.randrange(1, 200)
        lines = []
        for said, line in enumerate(child.stdout, start=1):
            lines.append(line)
            if said == until:
                child.send_signal(signal.SIGKILL)
        child.stdout.close()
        assert child.wait() == -signal.SIGKILL
        for line in lines:
            match line.split():
                case ["ok", receipt, cost]:
                    settled[receipt] = int(cost)
                case ["open", receipt]:
                    opened.add(receipt)
    assert len(settled) > 500

    async def last() -> None:
        await (await open_ledger(path)).close()

    asyncio.run(last())
    found = dict(rows(path, "SELECT id, cost_krw FROM receipts"))
    assert {receipt: found.get(receipt) for receipt in settled} == settled
    # Told to be open and never told to be closed: its most, unless the kill came between its end and the word of it.
    assert {found.get(receipt) for receipt in opened - set(settled)} <= {2, 3}
    assert receipt_sums(path) == leaf_sums(path)
    assert not rows(path, "SELECT 1 FROM receipts WHERE outcome = 'machine_died'")
    assert verify(path) is None


async def test_an_idle_learners_lease_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub_config.ai_gateway.ledger.leases.IDLE_SECONDS", 0.0)
    path = tmp_path / "a" / "ledger.sqlite"
    ledger: Ledger = await open_ledger(path, commit_seconds=SLOW)
    call = opening(5)
    await ledger.reserve(call, NO_LIMITS)
    ledger.settle(call.receipt, Settlement("ok", cost_krw=4))
    await ledger.flush()
    ledger.refused(opening(1, place=Place("bob", "video", "-")), "model_not_allowed")
    await ledger.flush()
    assert rows(path, "SELECT spent_krw, leased_krw FROM leaves") == [(4, 4)]
    assert await ledger.reserve(opening(5), NO_LIMITS) is None
    await ledger.close()
