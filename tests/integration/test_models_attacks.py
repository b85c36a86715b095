"""Attacks on the model service by what learners send. Each runs without its defence as well, to show that it would succeed."""

from __future__ import annotations

import asyncio
import io
import os
import secrets
import socket
import struct
import subprocess
import sys
import time
import wave
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from grader.sandbox import Sandbox, lab_folders
from hub_config.models import confined, errors, sound, workers
from hub_config.models.catalogue import catalogue
from hub_config.models.config import ServiceConfig
from hub_config.models.fetch import fetch
from hub_config.models.transcriptions import LANGUAGES
from hub_config.models.worker import Worker

WEIGHTS = Path(os.environ.get("PRACTICUM_MODELS", "var/models")).resolve()
NAMES = ("smollm2-135m", "multilingual-e5-small", "whisper-base")
READ = "import sys; print(open(sys.argv[1], errors='replace').read())"
CONNECT = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 3); print('GOT IT')"
LISTED = "import pathlib, sys; print('GOT IT' if list(pathlib.Path(sys.argv[1]).rglob('*')) else 'nothing')"
TAKE = "import sys; held = b'x' * int(sys.argv[1]); print('GOT IT')"
WRITE = "import sys; open(sys.argv[1], 'ab').write(b'x'); print('GOT IT')"


def bare(code: str, *args: object) -> str:
    argv = [sys.executable, "-c", code, *map(str, args)]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60).stdout


class Taken:
    """A worker that a learner's text or sound has taken over: it runs what it is told, in just the place it was given."""

    def __init__(self, box: Sandbox, limits: confined.Limits) -> None:
        self.box, self.limits = box, limits

    def runs(self, code: str, *args: object) -> str:
        async def run() -> bytes | None:
            argv = [sys.executable, "-c", code, *map(str, args)]
            return await confined.run(self.box, argv, self.limits, seconds=30, most_bytes=10_000)

        return (asyncio.run(run()) or b"").decode()


@pytest.fixture(params=NAMES)
def taken(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Taken:
    """The place of each kind of worker, as the service makes it."""
    name, given = request.param, list[Taken]()
    fetch(name, WEIGHTS)
    own = tmp_path / "own"
    own.mkdir()
    config = ServiceConfig(port=0, key_file=tmp_path / "key", weights=WEIGHTS, folder=own, models=(name,))
    model = catalogue().models[name]
    worker: Worker = (workers.ServerWorker if model.kind == "chat" else workers.JobWorker)(name, model, config)
    start = confined.start

    async def watched(box: Sandbox, argv: Any, limits: confined.Limits, **options: Any) -> Any:
        given.append(Taken(box, limits))
        return await start(box, ["/bin/cat"], limits, **options)

    async def begin() -> None:
        async with AsyncExitStack() as belongings:
            await confined.end(await worker._start(belongings))

    with monkeypatch.context() as patch:
        patch.setattr(confined, "start", watched)
        asyncio.run(begin())
    return given[0]


@pytest.mark.parametrize("delay_seconds", [0, 0.001, 0.002, 0.004, 0.008])
async def test_a_process_that_is_ended_at_its_start_leaves_nothing(delay_seconds: float) -> None:
    word = f"{secrets.randbelow(10**6) + 10**6}"
    for _ in range(10):
        process = await confined.start(confined.sandbox(), ["sleep", word], sound.LIMITS)
        await asyncio.sleep(delay_seconds)
        async with asyncio.timeout(5):
            await confined.end(process)
    left = [path for path in Path("/proc").glob("[0-9]*/cmdline") if word in _read_if_there(path)]
    assert left == []


def _read_if_there(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


# --- a worker that was taken over ------------------------------------------------------------------------------------


def test_it_cannot_read_keys_and_records(taken: Taken, tmp_path: Path) -> None:
    canary = f"canary-{secrets.token_hex(8)}"
    (tmp_path / "key").write_text(canary)  # where the service's own key stands, and beside it the gateway's
    assert canary in bare(READ, tmp_path / "key")
    for way in (tmp_path / "key", f"/proc/1/root{tmp_path}/key", f"/proc/self/root{tmp_path}/key"):
        assert canary not in taken.runs(READ, way)
    assert taken.runs("print('it runs')") == "it runs\n"


def test_it_cannot_read_solutions(taken: Taken) -> None:
    for folder in lab_folders():
        assert "GOT IT" in bare(LISTED, folder)
        assert "GOT IT" not in taken.runs(LISTED, folder)


def test_it_reaches_no_service(taken: Taken) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert "GOT IT" in bare(CONNECT, port)
        assert "GOT IT" not in taken.runs(CONNECT, port)


def test_it_cannot_change_weights_or_programs(taken: Taken) -> None:
    inside = next(inside for _, inside in taken.box.read_only)
    for path in (inside, f"{inside}/model.bin", f"{inside}/e5-small-q4.bin", confined.__file__):
        assert "GOT IT" not in taken.runs(WRITE, path)


def test_it_takes_no_more_memory_than_it_may(taken: Taken) -> None:
    too_much = taken.limits.memory_bytes + 200_000_000
    assert "GOT IT" in bare(TAKE, too_much)
    assert "GOT IT" in taken.runs(TAKE, 50_000_000)
    assert "GOT IT" not in taken.runs(TAKE, too_much)


# --- sound that is no sound ------------------------------------------------------------------------------------------


def ffmpeg(*arguments: str) -> bytes:
    done = subprocess.run([sound.ffmpeg(), "-nostdin", "-v", "error", *arguments], capture_output=True, timeout=120)
    return done.stdout


def decoded(tmp_path: Path, content: bytes, seconds: int = 60) -> tuple[bytes | None, float]:
    """What is read of a file, and how long it took."""
    (tmp_path / "sent").write_bytes(content)
    began = time.monotonic()
    return asyncio.run(sound.decode(tmp_path / "sent", seconds)), time.monotonic() - began


def wav(seconds: float, *, hz: int = 16000, said: int | None = None) -> bytes:
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(hz)
        file.writeframes(b"\x10\0" * int(seconds * hz))
    content = bytearray(held.getvalue())
    if said is not None:
        content[40:44] = struct.pack("<I", said)
        content[4:8] = struct.pack("<I", (said + 36) & 0xFFFFFFFF)
    return bytes(content)


@pytest.mark.parametrize(
    "options",
    [pytest.param(("-t", "36000", "-c:a", "flac", "-f", "flac"), marks=pytest.mark.long),
     pytest.param(("-t", "3600", "-c:a", "libopus", "-b:a", "6k", "-f", "ogg"), marks=pytest.mark.long),
     ("-t", "2000", "-c:a", "pcm_u8", "-f", "wav")],
    ids=["flac 10 h", "opus 1 h", "wav"],
)  # fmt: skip
def test_hours_in_a_small_file_end_at_the_limit(tmp_path: Path, options: tuple[str, ...]) -> None:
    path = tmp_path / "bomb"
    ffmpeg("-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono", *options, str(path))
    assert path.stat().st_size < 25_000_000
    samples, seconds = decoded(tmp_path, path.read_bytes())
    assert samples is not None
    most = 61 * sound.HZ * sound.SAMPLE_BYTES
    assert 60 * sound.HZ * sound.SAMPLE_BYTES < len(samples) <= most + 1
    assert seconds < 20
    # Without the limit on what is read, all of it is unpacked.
    whole = ffmpeg("-i", str(path), "-t", "300", "-ac", "1", "-ar", "16000", "-f", "s16le", "pipe:1")
    assert len(whole) > 4 * most


@pytest.mark.parametrize("said", [0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 36000 * 32000])
def test_a_header_that_lies_about_its_length_is_not_believed(tmp_path: Path, said: int) -> None:
    samples, seconds = decoded(tmp_path, wav(1, said=said))
    assert samples is None or len(samples) <= 1.1 * sound.HZ * sound.SAMPLE_BYTES
    assert seconds < 20


def test_one_sample_a_second_is_stretched_no_further_than_the_limit(tmp_path: Path) -> None:
    samples, seconds = decoded(tmp_path, wav(100_000, hz=1))
    assert samples is None or len(samples) <= 61 * sound.HZ * sound.SAMPLE_BYTES + 1
    assert seconds < 30


def test_garbage_is_refused(tmp_path: Path) -> None:
    for content in (
        b"",
        b"\0" * 25_000_000,
        os.urandom(25_000_000),
        b"RIFF",
        b"ID3" + b"\xff" * 1000,
        b"OggS" * 100_000,
    ):
        samples, seconds = decoded(tmp_path, content)
        assert samples is None or len(samples) <= 61 * sound.HZ * sound.SAMPLE_BYTES + 1
        assert seconds < 60


def hls(path: Path) -> bytes:
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{path}\n#EXT-X-ENDLIST\n".encode()


def concat(path: Path) -> bytes:
    return f"ffconcat version 1.0\nfile '{path.name}'\n".encode()


@pytest.mark.parametrize("playlist", [hls, concat])
def test_a_playlist_reads_no_file_of_the_machine(tmp_path: Path, playlist: Callable[[Path], bytes]) -> None:
    """Someone else's recording, named by a file that says it is a list."""
    secret = tmp_path / "secret.mp3"
    ffmpeg("-f", "lavfi", "-i", "sine=d=3", "-f", "mp3", str(secret))
    (tmp_path / "list.m3u8").write_bytes(playlist(secret))
    assert (
        len(ffmpeg("-i", str(tmp_path / "list.m3u8"), "-f", "s16le", "pipe:1")) > 100_000
    )  # what ffmpeg does by itself
    assert decoded(tmp_path, playlist(secret))[0] is None


@pytest.mark.parametrize("playlist", [hls, concat])
def test_a_playlist_reads_nothing_in_the_sandbox_either(tmp_path: Path, playlist: Callable[[Path], bytes]) -> None:
    """The list of formats alone holds, where the file that is named can be seen."""
    secret = tmp_path / "secret.mp3"
    ffmpeg("-f", "lavfi", "-i", "sine=d=3", "-f", "mp3", str(secret))
    path = Path("/in/secret.mp3") if playlist is hls else secret
    (tmp_path / "sent").write_bytes(playlist(path))
    box = confined.sandbox((tmp_path / "sent", "/in/sound.m3u8"), (secret, "/in/secret.mp3"))

    def read(*options: str) -> bytes | None:
        argv = [sound.ffmpeg(), "-nostdin", "-v", "quiet", *options, "-i", "/in/sound.m3u8", "-f", "s16le", "pipe:1"]
        return asyncio.run(confined.run(box, argv, sound.LIMITS, seconds=30, most_bytes=10_000_000))

    assert len(read() or b"") > 100_000
    assert not read("-protocol_whitelist", "file", "-format_whitelist", sound.FORMATS)


def test_where_the_sandbox_is_missing_nothing_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confined, "why_missing", lambda: "no user namespaces")
    with pytest.raises(errors.ServiceError) as refused:
        decoded(tmp_path, wav(1))
    assert (refused.value.status, refused.value.code) == (503, "sandbox_missing")
    with pytest.raises(errors.ServiceError):
        asyncio.run(sound.speak("a", "alloy", 1))


# --- what a worker says ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [b"no json\n", b"[]\n", b'{"bytes": -1}\n', b'{"bytes": 99999999999}\n', b'{"bytes": "1"}\n', b'{"bytes": 5}\nab', b"",
     b"x" * 9_000_000 + b"\n", b"[" * 500_000 + b"\n"],
)  # fmt: skip
async def test_an_answer_that_is_none_is_not_waited_for(said: bytes) -> None:
    stream = asyncio.StreamReader()
    stream.feed_data(said)
    stream.feed_eof()
    with pytest.raises((ValueError, EOFError)):
        await workers._read(stream)


async def test_a_long_answer_comes_whole() -> None:
    stream = asyncio.StreamReader()
    stream.feed_data(b'{"bytes": 3, "text": "' + b"x" * 3_000_000 + b'"}\nabc')
    header, payload = await workers._read(stream)
    assert (len(header["text"]), payload) == (3_000_000, b"abc")


def test_the_languages_are_whispers() -> None:
    from faster_whisper.tokenizer import _LANGUAGE_CODES

    assert set(_LANGUAGE_CODES) == LANGUAGES
