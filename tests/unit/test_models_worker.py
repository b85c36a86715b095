"""When a model's process is started, waited for, put away and started again, with a process that sleeps."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from hub_config.models import errors, worker
from hub_config.models.catalogue import Catalogue, Model
from hub_config.models.config import ServiceConfig
from hub_config.models.pool import Pool
from hub_config.models.worker import Worker
from labs.texts import Text

MB = 10**6


class Sleeper(Worker):
    """A worker whose process sleeps, and which is up when the test says so."""

    def __init__(self, name: str, model: Model, config: ServiceConfig) -> None:
        super().__init__(name, model, config)
        self.may_come_up = asyncio.Event()
        self.may_come_up.set()
        self.dies = False

    async def _start(self, _belongings: AsyncExitStack) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            "sleep", "60", stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
        )

    async def _come_up(self, process: asyncio.subprocess.Process) -> None:
        await self.may_come_up.wait()
        if self.dies:
            process.kill()
            raise EOFError


class Machine:
    """Memory that is free, less what the workers that run take."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.workers: list[Worker] = []

    def free(self) -> int:
        return self.total - sum(w.model.memory_bytes for w in self.workers if w.process is not None)


class Place:
    """A pool of three sleepers, a, b and c, of 100 MB each."""

    def __init__(
        self, folder: Path, *, total: int = 10_000 * MB, idle_seconds: float = 60, wait_seconds: float = 5
    ) -> None:
        title = Text(ko="시험", en="test")
        model = Model(kind="chat", title=title, license="x", memory_bytes=100 * MB, files=())
        config = ServiceConfig(
            port=0, key_file=folder / "key", weights=folder, folder=folder, models=("a", "b", "c"),
            idle_seconds=idle_seconds, wait_seconds=wait_seconds, spare_bytes=0,
        )  # fmt: skip
        self.machine = Machine(total)
        self.pool = Pool(config, Catalogue(models=dict.fromkeys("abc", model)), self.machine.free)
        self.sleepers = {name: Sleeper(name, model, config) for name in "abc"}
        self.pool.servers, self.machine.workers = self.sleepers, list(self.sleepers.values())  # type: ignore[assignment]

    async def call(self, name: str, seconds: float = 0) -> int:
        """Use a worker for a while; gives its process's id."""
        async with self.sleepers[name].use(self.pool.start):
            process = self.sleepers[name].process
            assert process is not None
            await asyncio.sleep(seconds)
            return process.pid


@pytest.fixture
async def places(tmp_path: Path) -> AsyncIterator[type[Place]]:
    """Places whose processes are put away at the end."""
    made: list[Place] = []

    class Kept(Place):
        def __init__(self, folder: Path = tmp_path, **options: float) -> None:
            super().__init__(folder, **options)  # type: ignore[arg-type]
            made.append(self)

    yield Kept
    for place in made:
        async with place.pool.idle_watch():
            pass


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_ten_first_calls_start_one_process(places: type[Place]) -> None:
    place = places()
    pids = await asyncio.gather(*(place.call("a") for _ in range(10)))
    assert len(set(pids)) == 1
    assert place.sleepers["a"].starts == 1


async def test_who_waits_too_long_is_told_and_loading_goes_on(places: type[Place]) -> None:
    place = places(wait_seconds=0.05)
    place.sleepers["a"].may_come_up.clear()
    with pytest.raises(errors.ServiceError) as told:
        await place.call("a")
    answer = told.value.response()
    assert (answer.status, told.value.code) == (503, "model_loading")
    assert int(answer.headers["Retry-After"]) >= 1
    assert 0 <= told.value.more["progress"] < 1
    place.sleepers["a"].may_come_up.set()
    await asyncio.sleep(0.05)
    assert place.sleepers["a"].state == "ready"
    await place.call("a")
    assert place.sleepers["a"].starts == 1


async def test_progress_is_what_is_in_memory_and_never_falls(
    places: type[Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = places(wait_seconds=0)
    sleeper = place.sleepers["a"]
    sleeper.may_come_up.clear()
    loading = asyncio.gather(place.call("a"), return_exceptions=True)
    await asyncio.sleep(0.2)
    seen = []
    for resident in (0, 30, 20, 60, 500, 40):
        monkeypatch.setattr(worker, "resident_bytes", lambda _pid, resident=resident: resident * MB)
        seen.append(sleeper.progress())
    assert seen == [0, 0.3, 0.3, 0.6, 0.99, 0.99]
    sleeper.may_come_up.set()
    await loading
    await asyncio.sleep(0.05)
    assert sleeper.progress() == 1


async def test_one_that_dies_while_it_loads_is_said_and_tried_again(places: type[Place]) -> None:
    place = places()
    place.sleepers["a"].dies = True
    told = await asyncio.gather(*(place.call("a") for _ in range(3)), return_exceptions=True)
    assert [error.code for error in told if isinstance(error, errors.ServiceError)] == ["model_failed"] * 3
    assert place.sleepers["a"].starts == 1
    place.sleepers["a"].dies = False
    await place.call("a")
    assert place.sleepers["a"].starts == 2


async def test_one_that_never_comes_up_fails(places: type[Place]) -> None:
    place = places()
    sleeper = place.sleepers["a"]
    sleeper.config = sleeper.config.model_copy(update={"load_seconds": 0.1})
    sleeper.may_come_up.clear()
    with pytest.raises(errors.ServiceError, match="model_failed"):
        await place.call("a")
    assert sleeper.process is None


async def test_one_that_was_killed_is_started_again(places: type[Place]) -> None:
    place = places()
    first = await place.call("a")
    process = place.sleepers["a"].process
    assert process is not None
    process.send_signal(signal.SIGKILL)
    await asyncio.sleep(0.2)
    assert place.sleepers["a"].state == "away"
    assert await place.call("a") != first


async def test_the_idle_are_put_away_and_the_busy_are_not(places: type[Place]) -> None:
    place = places(idle_seconds=0.2)
    async with place.pool.idle_watch():
        busy = asyncio.create_task(place.call("a", seconds=1.0))
        await place.call("b")
        await asyncio.sleep(0.6)
        assert place.sleepers["a"].state == "ready"
        assert place.sleepers["b"].state == "away"
        await busy
        assert place.sleepers["a"].state == "ready"  # it counts from the last answer's end
        await asyncio.sleep(0.6)
        assert place.sleepers["a"].state == "away"
        await place.call("a")
        assert place.sleepers["a"].starts == 2


async def test_the_idle_longest_makes_room(places: type[Place]) -> None:
    place = places(total=250 * MB)
    await place.call("b")
    await place.call("a")
    await place.call("c")
    assert [place.sleepers[name].state for name in "abc"] == ["ready", "away", "ready"]


async def test_no_room_beside_the_busy_is_said_in_numbers(places: type[Place]) -> None:
    place = places(total=150 * MB)
    busy = asyncio.create_task(place.call("a", seconds=0.5))
    await asyncio.sleep(0.1)
    with pytest.raises(errors.ServiceError) as told:
        await place.call("b")
    assert (told.value.status, told.value.code) == (503, "model_no_memory")
    assert told.value.more == {"needed_bytes": 100 * MB, "available_bytes": 50 * MB}
    assert "100 MB" in told.value.text.ko
    await busy
    await place.call("b")  # the other is idle now, and is put away


async def test_two_at_once_do_not_count_on_the_same_memory(places: type[Place]) -> None:
    place = places(total=150 * MB)
    for sleeper in place.sleepers.values():
        sleeper.may_come_up.clear()
    calls = asyncio.gather(*(place.call(name, 0.3) for name in "ab"), return_exceptions=True)
    await asyncio.sleep(0.1)
    for sleeper in place.sleepers.values():
        sleeper.may_come_up.set()
    told = [getattr(end, "code", "answered") for end in await calls]
    assert sorted(told) == ["answered", "model_no_memory"]


async def test_what_was_just_loaded_waits_for_those_it_was_loaded_for(
    places: type[Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = places(total=150 * MB, wait_seconds=0)
    with pytest.raises(errors.ServiceError, match="model_loading"):
        await place.call("a")
    await asyncio.sleep(0.2)  # it is up, and who was told to come back is not back yet
    monkeypatch.setattr(place.sleepers["b"], "config", place.pool.config.model_copy(update={"wait_seconds": 5}))
    with pytest.raises(errors.ServiceError, match="model_no_memory"):
        await place.call("b")
    await place.call("a")
    await place.call("b")
    assert [place.sleepers[name].starts for name in "ab"] == [1, 1]


async def test_at_the_end_nothing_is_left(places: type[Place]) -> None:
    place = places()
    place.sleepers["b"].may_come_up.clear()
    async with place.pool.idle_watch():
        first = await place.call("a")
        loading = asyncio.gather(place.call("b"), return_exceptions=True)
        await asyncio.sleep(0.1)
        process = place.sleepers["b"].process
        assert process is not None
        began = time.monotonic()
    assert time.monotonic() - began < 2
    assert not alive(first)
    assert not alive(process.pid)
    assert [getattr(end, "code", None) for end in await loading] == ["model_failed"]


async def test_weights_that_are_not_there_name_the_command(places: type[Place], tmp_path: Path) -> None:
    place = places()
    model = place.sleepers["a"].model
    title = Text(ko="시험", en="test")
    gone = Model.model_validate(
        {"kind": "chat", "title": title, "license": "x", "memory_bytes": 1,
         "files": [{"file": "none.gguf", "size_bytes": 1, "sha256": "0" * 64, "official": None, "parts": []}]}
    )  # fmt: skip
    place.pool.models = Catalogue(models={"a": gone, "b": model.model_copy(update={"program": "no-such-program"})})
    with pytest.raises(errors.ServiceError) as told:
        await place.call("a")
    assert (told.value.status, told.value.code) == (503, "model_missing")
    assert "practicum model fetch a" in told.value.text.en
    with pytest.raises(errors.ServiceError) as told:
        await place.call("b")
    assert "apt install no-such-program" in told.value.text.en
