"""`make bench-soak`: a day of people's servers in half an hour, over and over; writes var/bench/soak.json.

Ten learners come, each opens a kernel and runs a first cell, and nobody uses the servers any more: they are put away as idle
ones are. After each round it notes what the services take, and what is left that belongs to nobody. Fails where something is
left over, a service died, a server did not come from the template, or memory, open files or threads grow with the starts.
The first argument is another number of minutes; Ctrl-C ends it, and what was measured until then is written.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from cells import first_cell  # noqa: E402
from real_hub import RealHub, make_run, until  # noqa: E402
from running import Installation, free_base_port, service, start  # noqa: E402
from taken import entries, pss_kb, zombies  # noqa: E402

from grader.records.db import open_database  # noqa: E402
from hub_config import cgroup  # noqa: E402
from hub_config.settings import ENVIRONMENT  # noqa: E402
from hub_config.supervisor import descendants  # noqa: E402

MINUTES, PEOPLE, AT_ONCE = 30.0, 10, 4
#: So soon that a round is short, and so late that nobody's server goes before the first cell.
SETTINGS = "spawner: quick\nidle_server_minutes: 0.3\nidle_formgrader_minutes: 0.3\nidle_warning_minutes: 0.1\n"
#: Until a server that has ended is forgotten altogether: its control groups, its processes, its channels at the proxy.
SETTLED_SECONDS = 12.0
SERVICES = ("hub", "template", "portal", "proxy", "gateway")
#: In the first rounds each service meets each person for the first time.
WARM_UP = 3
#: Growth from the first quarter of the rounds to the last that is none: of memory in so many starts, of files and threads at all.
MB_PER_100_STARTS, MORE_OPEN = 5.0, 10
#: With fewer starts between the quarters memory is not judged: the proxy takes its heap in the first hundreds.
JUDGED_FROM_STARTS = 100


class Soak:
    """One running Practicum, the people who come, and what was noted after each round."""

    def __init__(self, site: Installation, temporary: Path) -> None:
        self._site, self._temporary, self._began = site, temporary, time.monotonic()
        engine = open_database(f"sqlite:///{site.data}/records/records.db")
        self._people = [f"soak-{number}" for number in range(PEOPLE)]
        # A run without a timetable: in class nobody's server is put away.
        make_run(engine, "soak", learners=self._people, now=False)
        self._hub = RealHub(site, engine)
        self._groups: set[str] = set()
        self._usual: set[str] = set()
        self.rounds: list[dict[str, Any]] = []

    def run(self, minutes: float) -> None:
        """Rounds until the time is over."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(self._hub.token, self._people))
            self._note()
            while time.monotonic() - self._began < minutes * 60:
                list(pool.map(self._come, self._people))
                until(lambda: all(map(self._hub.is_off, self._people)), 300)
                time.sleep(SETTLED_SECONDS)
                self._note()

    def _come(self, login: str) -> None:
        """Start a server, open a kernel, run a first cell, and leave."""
        self._hub.start(login)

        async def work() -> None:
            headers = {"Authorization": f"token {self._hub.token(login)}"}
            async with httpx.AsyncClient(base_url=self._site.url, headers=headers, timeout=120) as client:
                await first_cell(client, login)

        asyncio.run(work())
        assert any(processes_of(self._site.data)), "a look for what is left that does not see what runs"
        for pid in descendants(self._site.process.pid):
            with suppress(OSError):
                self._groups |= set(re.findall(r"server-\d+", Path(f"/proc/{pid}/cgroup").read_text()))

    def _note(self) -> None:
        """What the services take while nobody's server runs."""
        pids = {name: service(self._site, name) or 0 for name in SERVICES}
        if len(self.rounds) < 2:  # once before the first round, and once after it
            self._usual = set(self._lying_about())
        data = self._site.data
        found = {
            "seconds": round(time.monotonic() - self._began), "starts": len(self.rounds) * PEOPLE, "pids": pids,
            "pss_mb": {name: round(pss_kb(pid) / 1000, 2) for name, pid in pids.items()},
            "written_mb": {name: round(pss_kb(pid, "Pss_Anon") / 1000, 2) for name, pid in pids.items()},
            "open_files": {name: entries(f"/proc/{pid}/fd") for name, pid in pids.items()},
            "threads": {name: entries(f"/proc/{pid}/task") for name, pid in pids.items()},
            "processes": len(descendants(self._site.process.pid)), "left": sorted(self._left()),
            "not_forked": (data / "logs" / "hub.log").read_text("utf-8").count("The template starts no server"),
            "files_in_homes": sum(1 for _ in (data / "homes").rglob("*")),
            "hub_database_kb": (data / "hub" / "jupyterhub.sqlite").stat().st_size // 1000,
        }  # fmt: skip
        self.rounds.append(found)
        told = {name: found[name] for name in ("pss_mb", "written_mb", "open_files", "processes", "left")}
        print(f"{found['seconds']:5} s  {found['starts']:4} starts  {json.dumps(told)}", flush=True)

    def _left(self) -> Iterator[str]:
        """What belongs to nobody any more: of a learner's processes everything, of files what was not there after the first round."""
        for pid in zombies(self._site.process.pid):
            yield f"zombie {pid}"
        yield from processes_of(self._site.data)
        yield from (name for name in self._lying_about() if name not in self._usual)
        for folder, _file in cgroup.places().values():
            yield from (str(folder / name) for name in self._groups if (folder / name).exists())

    def _lying_about(self) -> Iterator[str]:
        """Sockets, temporary files, what servers and kernels tell of themselves in a home, and shared memory that nobody has."""
        yield from (str(path) for path in self._site.data.rglob("*") if path.is_socket())
        yield from map(str, self._temporary.iterdir())
        yield from map(str, self._site.data.glob("homes/*/.local/share/jupyter/runtime/*"))
        yield from (str(path) for path in Path("/dev/shm").iterdir() if not _is_mapped(path))


def processes_of(data: Path) -> Iterator[str]:
    """Every process of the machine that sees or names one of the homes."""
    mark = f"{data.parent.name}/{data.name}/homes/"
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            seen = (folder / "mountinfo").read_text() + (folder / "cmdline").read_text(errors="replace")
            if mark in seen:
                yield f"process {folder.name} {(folder / 'comm').read_text().strip()}"


def _is_mapped(path: Path) -> bool:
    for maps in Path("/proc").glob("[0-9]*/maps"):
        with suppress(OSError):
            if str(path) in maps.read_text():
                return True
    return False


def judged(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The first quarter of the rounds after the warm-up beside the last, and what is not as it should be."""
    steady, last = rounds[1 + WARM_UP :], rounds[-1]
    quarter = max(1, len(steady) // 4)
    found: dict[str, Any] = {"rounds": len(rounds) - 1, "starts": last["starts"], "growth": {}}
    wrong = [f"left over: {name}" for name in last["left"]]
    wrong += [f"{last['not_forked']} servers did not come from the template"] * (last["not_forked"] > 0)
    wrong += [f"{name} died" for name in SERVICES if len({one["pids"][name] for one in rounds}) > 1]
    if len(steady) < 2:
        return found | {"memory_is_judged": False, "wrong": wrong}

    def grown(what: str, name: str = "") -> float:
        early, late = (
            statistics.median(one[what][name] if name else one[what] for one in of)
            for of in (steady[:quarter], steady[-quarter:])
        )
        return round(late - early, 2)

    starts = grown("starts")
    is_judged = starts >= JUDGED_FROM_STARTS
    for name in SERVICES:
        more = {what: grown(what, name) for what in ("pss_mb", "written_mb", "open_files", "threads")}
        per_100 = {f"{what}_per_100_starts": round(more[what] / starts * 100, 2) for what in ("pss_mb", "written_mb")}
        found["growth"][name] = more | per_100
        wrong += [
            f"{name} grows by {more[what]:g}: {what}" for what in ("open_files", "threads") if more[what] > MORE_OPEN
        ]
        if is_judged and per_100["written_mb_per_100_starts"] > MB_PER_100_STARTS:
            wrong.append(f"{name} grows by {per_100['written_mb_per_100_starts']} MB in 100 starts")
    return found | {"starts_between_the_quarters": starts, "memory_is_judged": is_judged, "wrong": wrong}


def main() -> None:
    """Soak for so many minutes, and judge."""
    minutes = float(sys.argv[1]) if sys.argv[1:] else MINUTES
    with tempfile.TemporaryDirectory(prefix="bench-soak-") as name:
        folder = Path(name)
        (folder / "settings.yaml").write_text(SETTINGS)
        (folder / "tmp").mkdir()
        os.environ |= {ENVIRONMENT: str(folder / "settings.yaml"), "TMPDIR": str(folder / "tmp")}
        site = start(folder / "var", free_base_port())
        soak, broke = Soak(site, folder / "tmp"), []
        try:
            soak.run(minutes)
        except KeyboardInterrupt:
            minutes = soak.rounds[-1]["seconds"] / 60
            print("ended before its time", flush=True)
        except Exception as error:
            broke = [f"broke off: {type(error).__name__} {error}"]
        finally:
            site.stop()
        found = judged(soak.rounds) | {"minutes": minutes}
        found["wrong"] += [*broke, *(f"after the end: {one}" for one in processes_of(site.data))]
    out = ROOT / "var" / "bench" / "soak.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({**found, "after_each_round": soak.rounds}, indent=1), "utf-8")
    print(json.dumps(found, indent=1))
    sys.exit(bool(found["wrong"]))


if __name__ == "__main__":
    main()
