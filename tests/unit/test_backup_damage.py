"""A backup that was cut off, changed or sealed with another passphrase is refused, and one of records that do not hold says so."""

# ruff: noqa: F401, F811 (fixtures are imported, and named again where they are used)

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from backup_house import PASSPHRASE, House, plain, quick, refused, sql

from hub_config.backup import restore
from hub_config.backup.create import create
from hub_config.backup.faults import BadBackup


@pytest.fixture(params=[None, PASSPHRASE], ids=["plain", "sealed"])
def backup(request: pytest.FixtureRequest, plain: House, tmp_path: Path) -> tuple[Path, str | None]:
    plain.put("courses/course-a/source/lab/noise.bin", random.Random(1).randbytes(3_000_000))
    create(plain.settings, tmp_path / "a.backup", passphrase=request.param)
    return tmp_path / "a.backup", request.param


def test_a_truncated_backup_is_refused(backup: tuple[Path, str | None], tmp_path: Path) -> None:
    file, passphrase = backup
    whole, chance = file.read_bytes(), random.Random(2)
    pieces = [1 << 20, (1 << 20) + 68, 52, 40, 1, len(whole) - 1]
    for size in [*pieces, *(chance.randrange(1, len(whole)) for _ in range(8))]:
        (tmp_path / "cut").write_bytes(whole[:size])
        said = refused(tmp_path / "cut", tmp_path / "restored", passphrase)
        assert any(word in said for word in ("ends before its end", "cut off", "no backup of Practicum")), (size, said)


def test_a_changed_backup_is_refused(backup: tuple[Path, str | None], tmp_path: Path) -> None:
    file, passphrase = backup
    whole, chance = file.read_bytes(), random.Random(3)
    for _ in range(12):
        changed = bytearray(whole)
        place = chance.randrange(20, len(whole))  # the head of gzip holds what nobody reads
        changed[place] ^= 1 << chance.randrange(8)
        (tmp_path / "changed").write_bytes(changed)
        refused(tmp_path / "changed", tmp_path / "restored", passphrase)
    (tmp_path / "longer").write_bytes(whole + b"x" * 100)
    refused(tmp_path / "longer", tmp_path / "restored", passphrase)


def test_a_sealed_backup_opens_with_its_passphrase_only(plain: House, tmp_path: Path) -> None:
    file = tmp_path / "a.backup"
    create(plain.settings, file, passphrase=PASSPHRASE)
    assert "the passphrase is wrong" in refused(file, tmp_path / "restored", PASSPHRASE + "x")
    assert "--passphrase-file" in refused(file, tmp_path / "restored")
    assert "안나".encode() not in file.read_bytes()
    whole = file.read_bytes()
    assert (
        len(
            {
                whole[:40],
                (create(plain.settings, tmp_path / "b", passphrase=PASSPHRASE), (tmp_path / "b").read_bytes()[:40])[1],
            }
        )
        == 2
    )


def test_pieces_of_a_sealed_backup_cannot_be_moved(plain: House, tmp_path: Path) -> None:
    plain.put("courses/course-a/source/lab/noise.bin", random.Random(1).randbytes(4_000_000))
    file = tmp_path / "a.backup"
    create(plain.settings, file, passphrase=PASSPHRASE)
    whole, head, piece = file.read_bytes(), len("practicum-sealed-1\n") + 1 + 16 + 16, (1 << 20) + 16
    parts = [whole[:head], *(whole[at : at + piece] for at in range(head, len(whole), piece))]
    assert len(parts) > 4
    for order in (
        [0, 2, 1, *range(3, len(parts))],
        [0, 1, *range(3, len(parts))],
        [*range(len(parts) - 1)],
        [0, 1, 1, *range(2, len(parts))],
    ):
        (tmp_path / "moved").write_bytes(b"".join(parts[number] for number in order))
        assert "cut off or changed" in refused(tmp_path / "moved", tmp_path / "restored", PASSPHRASE)


def test_a_folder_that_is_not_empty_is_refused_and_stays(plain: House, tmp_path: Path) -> None:
    create(plain.settings, tmp_path / "a.backup")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    for folder in (tmp_path / "full", tmp_path / "full" / "mine"):
        with pytest.raises(BadBackup, match="is not empty"):
            restore.restore(tmp_path / "a.backup", folder)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine"]
    (tmp_path / "empty").mkdir()
    (tmp_path / "foreign").write_bytes(b"x")
    with pytest.raises(BadBackup):
        restore.restore(tmp_path / "foreign", tmp_path / "empty")
    assert list((tmp_path / "empty").iterdir()) == []
    restore.restore(tmp_path / "a.backup", tmp_path / "empty")
    assert not (tmp_path / "empty" / ".restoring").exists()


# --- records that do not hold ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attack", "named"),
    [
        (lambda house: sql(house, "UPDATE event SET actor = 'b' WHERE seq = 2"), "event 2"),
        (lambda house: sql(house, "DELETE FROM event WHERE seq >= 3"), "event 3"),
        (lambda house: next((house.data / "records/blobs").rglob("?" * 64)).write_bytes(b"other"), "something else"),
        (lambda house: next((house.data / "records/blobs").rglob("?" * 64)).unlink(), "event 1 names is not"),
        (lambda house: (house.data / "ai/gateway.db").unlink(), "AI receipts"),
    ],
)
def test_a_backup_of_records_that_do_not_hold_says_so(
    plain: House, tmp_path: Path, attack: Callable[[House], None], named: str
) -> None:
    attack(plain)
    create(plain.settings, tmp_path / "a.backup")
    assert named in refused(tmp_path / "a.backup", tmp_path / "restored")
    _, held = restore.restore(tmp_path / "a.backup", tmp_path / "restored", anyway=True)
    assert held.wrong is not None
    assert named in held.wrong.en
    assert (tmp_path / "restored/records/records.db").is_file()
