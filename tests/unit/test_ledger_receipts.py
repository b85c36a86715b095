"""Receipts: what they say and to whom, that a change is found and named, and that content goes when its days are over."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ledger_support import ANN, NO_LIMITS, Clock, open_ledger, opening, rows, spool_files

from hub_config.ai_gateway.ledger import (
    GENESIS,
    Amount,
    Ledger,
    LedgerError,
    Place,
    ReceiptQuery,
    Settlement,
    Usage,
    owner_of,
    verify,
    verify_sums,
)

BOB = Place("bob", "video", "titles")
CHO = Place("cho", "books", "-")
#: What may stand nowhere on the disk.
SECRETS = ("ann@school.kr", "010-1234-5678", "900101-1234567")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gateway" / "ledger.sqlite"


@pytest.fixture
async def ledger(path: Path, clock: Clock) -> AsyncIterator[Ledger]:
    opened = await open_ledger(path, now=clock)
    yield opened
    await opened.close()


async def call(ledger: Ledger, place: Place = ANN, end: Settlement | None = None, **fields: Any) -> str:
    made = opening(5, 50, place, **fields)
    assert await ledger.reserve(made, NO_LIMITS) is None
    ledger.settle(made.receipt, end or Settlement("ok", 2, Usage(3, 4), answer="well", answer_type="text/plain"))
    return made.receipt


async def test_what_a_receipt_says(ledger: Ledger) -> None:
    end = Settlement("ok", 2, Usage(3, 4, 5, 6, 7), "outside", "3" * 64, "well", "text/plain", 120, 30)
    receipt = await call(ledger, end=end)
    await ledger.flush()
    _, link = await ledger.head()
    found = await ledger.receipt(receipt)
    assert found is not None
    assert len(found.pop("kept_sha256")) == 64
    assert found == {
        **{"number": 1, "id": receipt, "at": "2026-11-23T03:00:00.000+00:00", "day": "2026-11-23"},
        **{"learner": "ann", "course": "video", "lab": "rough-cut", "endpoint": "chat", "model": "lab-default"},
        **{"upstream": "outside", "outcome": "ok", "refused": 0, "prompt_tokens": 3, "completion_tokens": 4},
        **{"audio_ms": 5, "characters": 6, "images": 7, "reserved_krw": 5, "reserved_tokens": 50},
        **{"cost_krw": 2, "cost_tokens": 7, "latency_ms": 120, "first_byte_ms": 30},
        **{"request_sha256": "1" * 64, "prompt_sha256": "2" * 64, "answer_sha256": "3" * 64, "hash": link},
        **{"prompt": "[]", "answer": "well", "answer_type": "text/plain"},
    }
    assert await ledger.receipt("rcpt_unknown") is None


async def test_a_chain_that_holds(ledger: Ledger, path: Path) -> None:
    assert await ledger.head() == (0, GENESIS)
    anchors = []
    for _ in range(5):
        await call(ledger)
        await ledger.flush()
        anchors.append(await ledger.head())
    assert verify(path, anchors) is None


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ("UPDATE receipts SET cost_krw = 0 WHERE number = 3", "receipt 3 .* was changed"),
        ("UPDATE receipts SET learner = 'bob' WHERE number = 3", "receipt 3 .* was changed"),
        ("UPDATE receipts SET hash = upper(hash) WHERE number = 3", "receipt 3 .* was changed"),
        ("DELETE FROM receipts WHERE number = 3", "receipt 3 is missing"),
        ("DELETE FROM receipts WHERE number = 1", "receipt 1 is missing"),
        (
            "DELETE FROM receipts WHERE number = 3; UPDATE receipts SET number = number - 1 WHERE number > 3",
            "receipt 3 .* was changed after it was written, or another",
        ),
        (
            "UPDATE receipts SET number = -1 WHERE number = 2; UPDATE receipts SET number = 2 WHERE number = 3; "
            "UPDATE receipts SET number = 3 WHERE number = -1",
            "receipt 2 .* another one stood in its place",
        ),
        ("UPDATE receipts SET number = -1 WHERE number = 5", "receipt 1 is missing: the chain goes from 0 to -1"),
        (
            "DELETE FROM receipts WHERE number > 3",
            "end at number 3, but number 4 was anchored: the last ones were cut off",
        ),
        ("DELETE FROM receipts", "end at number 0, but number 4 was anchored"),
        ("UPDATE contents SET answer = 'better' WHERE number = 3", "the prompt or the answer of receipt 3"),
        ("UPDATE contents SET prompt = NULL WHERE number = 3", "the prompt or the answer of receipt 3"),
    ],
)
async def test_a_change_is_found_and_named(path: Path, change: str, names: str) -> None:
    ledger = await open_ledger(path)
    for _ in range(4):
        await call(ledger)
    await ledger.flush()
    anchor = await ledger.head()
    await call(ledger)
    await ledger.close()
    assert verify(path, [anchor]) is None
    with closing(sqlite3.connect(path)) as db:
        db.executescript(change)
    with pytest.raises(AssertionError, match=names):
        raise AssertionError(verify(path, [anchor]))


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ("UPDATE sums SET cost_krw = cost_krw - 1", "sums of AI use of ann in video are not those of the receipts"),
        ("DELETE FROM sums", "sums of AI use of ann in video are not"),
        ("INSERT INTO sums VALUES ('bob', 'video', 1, 0, 0, 0, 9, '', '')", "sums of AI use of bob in video are not"),
    ],
)
async def test_sums_that_are_not_those_of_the_receipts_are_named_and_the_chain_holds(
    path: Path, change: str, names: str
) -> None:
    ledger = await open_ledger(path)
    await call(ledger)
    await ledger.close()
    assert verify_sums(path) is None
    with closing(sqlite3.connect(path)) as db:
        db.executescript(change)
    assert names in str(verify_sums(path))
    assert verify(path) is None
    with closing(sqlite3.connect(path)) as db:
        db.executescript("DROP TRIGGER receipts_summed; DROP TABLE sums;")
    assert verify_sums(path) is None, "of a ledger that keeps none"


async def test_whose_ledger_it_is_is_told_also_after_a_gateway_was_killed_while_it_wrote(
    path: Path, tmp_path: Path
) -> None:
    assert owner_of(path) is None
    ledger = await open_ledger(path)
    await ledger.close()
    died, checked, counted = (tmp_path / f"{name}.sqlite" for name in ("died", "checked", "counted"))
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        (owner,) = db.execute("SELECT institution FROM ledger").fetchone()
        db.execute("PRAGMA cache_size = 1")  # what is begun comes to the disk before its end
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE ledger SET institution = 'half written'")
        db.executemany("INSERT INTO contents VALUES (?, ?, NULL, NULL, '')", [(n, "x" * 9_000) for n in range(200)])
        for copy in (died, checked, counted):
            for ending in ("", "-journal"):
                shutil.copy(f"{path}{ending}", f"{copy}{ending}")
    assert owner_of(path) == owner_of(died) == owner
    assert verify(checked) is None, "as little may the office wait for the gateway before it can verify"
    assert verify_sums(counted) is None
    died.write_bytes(b"no database" * 1_000)
    assert owner_of(died) is None, "no page and no start depends on it"


async def test_a_chain_that_was_written_anew_is_found_by_its_anchor(tmp_path: Path) -> None:
    anchors = []
    for name in ("first", "second"):
        ledger = await open_ledger(tmp_path / name / "ledger.sqlite")
        await call(ledger)
        await ledger.flush()
        anchors.append(await ledger.head())
        await ledger.close()
    second = tmp_path / "second" / "ledger.sqlite"
    assert verify(second) is None
    assert "written anew" in str(verify(second, anchors[:1]))


async def test_content_goes_when_its_days_are_over_and_the_chain_holds(
    ledger: Ledger, path: Path, clock: Clock
) -> None:
    short = await call(ledger, retention_days=1, prompt="a canary in the prompt")
    long = await call(ledger, retention_days=30)
    await ledger.flush()
    assert b"a canary" in path.read_bytes()
    today = clock().date()
    assert await ledger.expire(today + timedelta(days=1)) == 0
    assert await ledger.expire(today + timedelta(days=2)) == 1
    gone, kept = await ledger.receipt(short), await ledger.receipt(long)
    assert gone is not None
    assert kept is not None
    assert (gone["prompt"], gone["answer"], gone["cost_krw"]) == (None, None, 2)
    assert kept["answer"] == "well"
    assert verify(path, [await ledger.head()]) is None
    assert all(b"a canary" not in file.read_bytes() for file in path.parent.iterdir())


async def test_personal_data_is_on_no_disk(path: Path) -> None:
    """What is kept in the spool and in the database is looked through as raw bytes, while the call runs and after."""
    ledger = await open_ledger(path, commit_seconds=3600)
    text = " ".join(("a word", *SECRETS))
    running = opening(prompt=text)
    await ledger.reserve(running, NO_LIMITS)
    ledger.settle(running.receipt, Settlement("ok", answer=text, answer_type="text/plain"))
    ledger.refused(opening(prompt=text), "unknown_model")
    spooled = b"".join(file.read_bytes() for file in spool_files(path))
    assert spooled.count(b"a word") == 3
    await ledger.flush()
    raw = spooled + b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert raw.count(b"a word") >= 6
    assert [secret for secret in SECRETS if secret.encode() in raw] == []
    await ledger.close()


@pytest.mark.parametrize(
    ("prompt", "kept"),
    [
        (None, None),
        ("x" * 10_000, "x" * 10_000),
        ("x" * 10_001, None),
        ("가" * 3334, None),
        ("a\x00b", "a\x00b"),
        ("a\ud800b", "a?b"),
    ],
)
async def test_what_is_kept_of_a_prompt(ledger: Ledger, path: Path, prompt: str | None, kept: str | None) -> None:
    """A lone surrogate, which JSON can bring, would otherwise stop every later commit."""
    receipt = await call(ledger, prompt=prompt, end=Settlement("ok", answer=prompt))
    found = await ledger.receipt(receipt)
    assert found is not None
    assert (found["prompt"], found["answer"], found["prompt_sha256"]) == (kept, kept, "2" * 64)
    assert verify(path) is None


async def test_an_upstreams_lies_do_not_stop_the_commit(ledger: Ledger) -> None:
    lies = Usage(10**40, -1, 2**63, None, 10**16)
    receipt = await call(ledger, end=Settlement("no\ud800ne", None, lies, answer_type="\ud800", latency_ms=10**40))
    found = await ledger.receipt(receipt)
    assert found is not None
    assert [found[name] for name in ("prompt_tokens", "completion_tokens", "audio_ms", "images", "latency_ms")] == [
        None
    ] * 5
    assert found["outcome"] == "no?ne"


async def test_the_database_is_private_and_one_gateways(ledger: Ledger, path: Path) -> None:
    await call(ledger)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}
    with pytest.raises(LedgerError, match="another gateway"):
        await open_ledger(path)
    assert rows(path, "PRAGMA journal_mode") == [("delete",)]


async def test_a_folder_that_others_can_read_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(LedgerError, match="0700"):
        await open_ledger(tmp_path / "ledger.sqlite")


async def test_a_link_in_the_spools_place_is_not_written_through(path: Path) -> None:
    await (await open_ledger(path)).close()
    target = path.with_name("elsewhere")
    path.with_name(f"{path.name}.spool-1").symlink_to(target)
    with pytest.raises(LedgerError, match="cannot be opened"):
        await open_ledger(path)
    assert not target.exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("PRAGMA user_version = 99", "newer gateway"),
        ("PRAGMA user_version = 0", "older gateway"),
        ("UPDATE ledger SET institution = 'other'", "the ledger of other"),
    ],
)
async def test_a_database_that_is_not_this_gateways_is_refused(path: Path, change: str, says: str) -> None:
    await (await open_ledger(path)).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(change)
    for _ in range(2):  # the lock is given back
        with pytest.raises(LedgerError, match=says):
            await open_ledger(path)


async def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.write_bytes(b"no database at all " * 100)
    with pytest.raises(LedgerError, match="cannot be opened"):
        await open_ledger(path)


async def test_a_ledger_that_was_moved_is_the_same(path: Path, tmp_path: Path) -> None:
    ledger = await open_ledger(path)
    await call(ledger)
    await ledger.close()
    shutil.copytree(path.parent, tmp_path / "moved")
    (tmp_path / "moved").chmod(0o700)
    moved = await open_ledger(tmp_path / "moved" / path.name)
    assert moved.spent(ANN)[0] == Amount(2, 7)
    assert await moved.head() == (1, (await moved.receipts(ReceiptQuery())).rows[0]["hash"])
    await moved.close()
