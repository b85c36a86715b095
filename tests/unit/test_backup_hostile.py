"""Archives that somebody made to do harm: each is refused, and nothing of it is left."""

# ruff: noqa: F401 (a fixture is imported that each test uses by itself)

from __future__ import annotations

import gzip
import hashlib
import io
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest
from backup_house import PASSPHRASE, quick, refused

from hub_config.backup import restore
from hub_config.backup.archive import FORMAT, LIST, MARK
from hub_config.backup.faults import BadBackup


def member(name: str, content: bytes = b"x", **more: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in more.items():
        setattr(info, field, value)
    return info, content


def forged(file: Path, *members: tuple[tarfile.TarInfo, bytes], listed: list[str] | None = None, **fields: Any) -> Path:
    """An archive that somebody made by hand, with a list that fits where none is given."""
    files = [
        {"path": info.name, "size": info.size, "sha256": hashlib.sha256(content).hexdigest(), "mode": 0o644}
        for info, content in members
        if listed is None or info.name in listed
    ]
    contents = {
        "made_at": "2026-07-06T00:00:00Z", "version": "1", "database": "sqlite", "homes": True, "secrets": True,
        "left_out": [], "files": files, **fields,
    }  # fmt: skip
    listing = str(contents).replace("'", '"').replace("True", "true").encode()
    with tarfile.open(file, "w:gz", format=tarfile.PAX_FORMAT) as tar:
        for info, content in (member(MARK, FORMAT), *members, member(LIST, listing)):
            tar.addfile(info, io.BytesIO(content))
    return file


@pytest.mark.parametrize(
    "name",
    [
        "/etc/x",
        "../x",
        "homes/../../x",
        "homes//x",
        "homes/./x",
        "homes",
        "x",
        "etc/x",
        "run/settings.yaml",
        "homes/x/",
        "manifest.json/x",
        "homes/" + "x" * 5000,
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    refused(forged(tmp_path / "a", member(name)), tmp_path / "restored")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.FIFOTYPE,
        tarfile.CHRTYPE,
        tarfile.BLKTYPE,
        tarfile.DIRTYPE,
        tarfile.CONTTYPE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_SPARSE,
        b"Q",
    ],
)
def test_what_is_no_plain_file_is_refused(tmp_path: Path, kind: bytes) -> None:
    info, _ = member("homes/ann", b"", type=kind, linkname="/etc")
    said = refused(forged(tmp_path / "a", (info, b""), member("homes/ann/x")), tmp_path / "restored")
    assert "no plain file" in said


def test_a_link_would_have_led_out_of_the_folder(tmp_path: Path) -> None:
    """What the plain way of unpacking makes of it: the attack is real."""
    (tmp_path / "outside").mkdir()
    link, _ = member("homes/ann", b"", type=tarfile.SYMTYPE, linkname=str(tmp_path / "outside"))
    file = forged(tmp_path / "a", (link, b""), member("homes/ann/x"))
    with tarfile.open(file) as tar:
        # An attribute: before 3.11.4 `extractall` takes no filter, and trusts everything by itself.
        tar.extraction_filter = lambda entry, _path: entry
        tar.extractall(tmp_path / "naive")
    assert (tmp_path / "outside" / "x").is_file()
    (tmp_path / "outside" / "x").unlink()
    refused(file, tmp_path / "restored")
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_huge_name_is_refused_before_it_is_read(tmp_path: Path) -> None:
    info, content = member("homes/x", b"0" * 200_000, type=tarfile.XHDTYPE)
    assert "no plain file" in refused(forged(tmp_path / "a", (info, content)), tmp_path / "restored")


@pytest.mark.parametrize(
    "members",
    [
        [member("homes/a"), member("homes/a", b"y")],
        [member("homes/a"), member("homes/a/b")],
        [member("homes/a/b"), member("homes/a")],
        [member(LIST, b"{}"), member("homes/a")],
        [member(MARK, b"1\n")],
    ],
)
def test_a_file_that_comes_twice_or_stands_in_another_ones_place_is_refused(tmp_path: Path, members: list[Any]) -> None:
    assert "wrong place" in refused(forged(tmp_path / "a", *members), tmp_path / "restored")


@pytest.mark.parametrize(
    ("members", "more"),
    [
        ([member("homes/a"), member("homes/b")], {"listed": ["homes/a"]}),
        ([member("homes/a")], {"files": []}),
        ([member("homes/a")], {"files": [{"path": "homes/a", "size": 1, "sha256": "0" * 64, "mode": 0o644}]}),
        (
            [member("homes/a")],
            {"files": [{"path": "homes/a", "size": 2, "sha256": hashlib.sha256(b"x").hexdigest(), "mode": 0o644}]},
        ),
        ([member("homes/a")], {"files": [{"path": "../a", "size": 1, "sha256": "0" * 64, "mode": 0o644}]}),
        ([member("homes/a")], {"homes": "maybe"}),
        ([member("homes/a")], {}),  # whole, but without records
    ],
)
def test_a_list_that_does_not_fit_is_refused(tmp_path: Path, members: list[Any], more: dict[str, Any]) -> None:
    refused(forged(tmp_path / "a", *members, **more), tmp_path / "restored")


def test_what_would_fill_the_disk_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = shutil.disk_usage(tmp_path).free
    monkeypatch.setattr(restore, "LEAST_FREE_BYTES", free - 40_000_000)
    file = forged(tmp_path / "a", member("homes/bomb", bytes(300_000_000)))
    assert file.stat().st_size < 1_000_000
    assert "not enough room" in refused_restore(file, tmp_path / "restored")


def refused_restore(file: Path, folder: Path) -> str:
    with pytest.raises(BadBackup) as error:
        restore.restore(file, folder)
    assert not folder.exists()
    return error.value.text.en


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x",
        b"text " * 1000,
        gzip.compress(b"not a tar" * 1000, mtime=0),
        gzip.compress(b"", mtime=0),
        b"PK\x03\x04" + b"0" * 500,
        b"practicum-sealed-1\n",
        b"practicum-sealed-1\n" + bytes(200),
    ],
)
def test_a_foreign_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    refused(tmp_path / "a", tmp_path / "restored", PASSPHRASE)


def test_a_foreign_archive_is_refused_at_its_first_file(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a", "w:gz") as tar:
        for info, content in (member("homes/a"), member("records/records.db")):
            tar.addfile(info, io.BytesIO(content))
    assert "no backup of Practicum" in refused(tmp_path / "a", tmp_path / "restored")
