"""`make bench-portal`: what people wait for at the portal when the pilot runs, into var/bench/portal.json.

The rule: a real Practicum with the pilot's records, reached through its proxy by people who signed in at the Hub; no word is played.
Parts: `pages` (how quickly each page comes at 20 requests a second, what it weighs and when it is painted), `bubblewrap` and
`quick` (thirty learners press Open within ten seconds, with that spawner). What is asked for is measured, else all; what
was measured before of the others stays. The data folder is made anew each day, since its course runs are under way.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "tests" / "unit")]

import portal_browser  # noqa: E402
import portal_class  # noqa: E402
import portal_opens  # noqa: E402
from check_in_load import p95  # noqa: E402
from pilot import Pilot  # noqa: E402
from portal_pages import EACH, Load, Page, People, pages  # noqa: E402
from portal_people import PASSWORD, PREFIX, Forms, cookies_of  # noqa: E402
from running import Installation, free_base_port, processes, start  # noqa: E402

from hub_config.portal.security import Seals  # noqa: E402
from hub_config.portal.site import SESSION_COOKIE  # noqa: E402
from hub_config.settings import ENVIRONMENT, load_settings  # noqa: E402

FOLDER = ROOT / "var" / "bench"
DATA, OUT = FOLDER / "portal-data", FOLDER / "portal.json"
PARTS = ("pages", "bubblewrap", "quick")
P95_MS, WEIGHT_KB, LCP_MS = 150, 150, 1000
#: So many course runs have people who are signed in, and so many learners of each.
RUNS, OF_RUN = 20, 2
#: The portal has folded what it keeps when it takes less than a tenth of a processor for so long.
SETTLED_SECONDS, BUSY = 5.0, 0.1
#: A class is not measured when its day is nearly over.
LAST_HOUR = 16
_BEGAN = time.monotonic()


def say(line: str) -> None:
    print(f"{time.monotonic() - _BEGAN:6.0f} s  {line}", flush=True)


def pilot_of_today() -> Pilot:
    """The pilot in the data folder, made where there is none whose course runs have class now."""
    stamp, now = DATA / "until.txt", datetime.now(UTC)
    if stamp.is_file():
        pilot = Pilot.under_way(datetime.fromisoformat(stamp.read_text()))
        here, there = now.astimezone(pilot.zone), pilot.now.astimezone(pilot.zone)
        if here.date() == there.date() and here.hour < LAST_HOUR:
            return pilot
    shutil.rmtree(DATA, ignore_errors=True)
    DATA.mkdir(parents=True, mode=0o700)
    pilot = Pilot.under_way(now)
    say("writing the pilot's records, some minutes")
    say(f"{portal_class.make(DATA, pilot)} events")
    stamp.write_text(now.isoformat())
    return pilot


@contextmanager
def practicum(port: int, spawner: str) -> Iterator[Installation]:
    """A running Practicum over the pilot's data; nothing of it runs afterwards."""
    settings = FOLDER / "portal.yaml"
    settings.write_text(f"spawner: {spawner}\n")
    os.environ[ENVIRONMENT] = str(settings)
    say(f"starting Practicum (spawner: {spawner})")
    site = start(DATA, port)
    try:
        while _processor(processes(site, "portal"), SETTLED_SECONDS) > BUSY:
            say("the portal folds its records")
        yield site
    finally:
        site.stop()


def _processor(pids: list[int], seconds: float) -> float:
    """What part of a processor some processes take together."""

    def ticks() -> int:
        stats = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids)
        return sum(int(number) for stat in stats for number in stat[11:13])

    before = ticks()
    time.sleep(seconds)
    return (ticks() - before) / os.sysconf("SC_CLK_TCK") / seconds


def people(site: Installation, pilot: Pilot) -> tuple[People, Forms, bytes]:
    """Sign in some people of every kind, and have the real class do its work where it has not."""
    secret = load_settings(site.data / "run" / "settings.yaml").secret("class-codes").encode()
    luck, real = random.Random(4), portal_class.live(pilot)
    runs = [real, *luck.sample([run for run in pilot.course_runs if run is not real], RUNS - 1)]
    learners = {run.id: run.learners[:OF_RUN] for run in runs}
    staff = [name for run in runs for name in (portal_class.teacher(run), portal_class.office(run))]
    logins = [
        *staff,
        *(login for one in learners.values() for login in one),
        portal_class.MINISTRY,
        portal_class.OPERATOR,
    ]
    say(f"signing in {len(set(logins))} people")
    cookies = asyncio.run(cookies_of(site.url, sorted(set(logins))))
    forms = Forms(site.url, Seals(secret), cookies)
    klass, note = portal_class.RealClass(site, pilot, forms), DATA / "filled.json"
    if not note.is_file():
        say("the class hands in, is graded, judged and told")
        note.write_text(json.dumps(klass.work()))
    filled = json.loads(note.read_text()) | {"sha256": klass.upload()}
    return People(runs, learners, cookies, filled, learners[real.id]), forms, secret


def measure_pages(site: Installation, pilot: Pilot, each: int) -> dict[str, Any]:
    """Each page under load, and then alone in a browser."""
    everybody, forms, secret = people(site, pilot)
    say("starting the servers of two learners")
    asyncio.run(portal_opens.press_open(site.url, portal_class.live(pilot).id, everybody.with_server))
    wanted = pages()
    asyncio.run(Load(site.url, everybody, forms, secret).run([Page(p.name, p.role, p.line) for p in wanted], 1, say))
    asked = asyncio.run(Load(site.url, everybody, forms, secret).run(wanted, each, say))
    say("looking at each page in a browser")
    luck = random.Random(6)
    shown = [(page.name, *everybody.asks(page, luck)) for page in wanted]
    seen = asyncio.run(
        portal_browser.look(
            site.url, [(name, at, {SESSION_COOKIE: everybody.cookies[who]} if who else {}) for name, at, who in shown]
        )
    )
    detail = {name: {**one, **seen[name]} for name, one in asked.told().items()}
    every = [second for took in asked.seconds.values() for second in took]
    return {
        "page_p95_ms": max(one["p95_ms"] for one in detail.values()),
        "page_weight_kb": max(one["weight_kb"] for one in detail.values()),
        "lcp_ms": max(one["lcp_ms"] for one in detail.values()),
        "all_requests_p95_ms": round(p95(every) * 1000, 1), "requests": len(every), "events_meanwhile": asked.events,
        "wrong_answers": sorted(set(asked.wrong))[:30],
        "pages": detail,
    }  # fmt: skip


def measure_opens(site: Installation, pilot: Pilot) -> dict[str, Any]:
    """Thirty learners press Open; afterwards one looks at the notebook in a browser."""
    run = portal_class.live(pilot)
    say(f"{len(run.learners)} learners press Open within {portal_opens.WITHIN_SECONDS} s")
    found = portal_opens.told(asyncio.run(portal_opens.press_open(site.url, run.id, run.learners)))
    at = f"{PREFIX}learn/{run.id}/open/{portal_class.LAB}"
    seconds = asyncio.run(portal_browser.notebook_seconds(site.url, at, run.learners[0], PASSWORD))
    return found | {"in_a_browser_when_the_server_runs_seconds": round(seconds, 1)}


def missed(found: dict[str, Any]) -> list[str]:
    """What is not as it should be, in a line each."""
    lines = [f"wrong answer: {line}" for line in found.get("wrong_answers", ())]
    for name, one in found.get("pages", {}).items():
        limits = {"p95_ms": P95_MS, "weight_kb": WEIGHT_KB, "lcp_ms": LCP_MS}
        lines += [f"{name}: {what} {one[what]} (at most {most})" for what, most in limits.items() if one[what] > most]
    for spawner, one in found.get("opens", {}).items():
        if one["opened_without_second_press"] < one["learners"]:
            lines.append(f"{spawner}: {one['opened_without_second_press']} of {one['learners']} opened: {one['said']}")
    return lines


def main() -> None:
    """Measure what is asked for; the exit code is 1 where something is not as it should be."""
    chosen = [part for part in PARTS if part in sys.argv[1:]] or PARTS
    each = next((int(one) for one in sys.argv[1:] if one.isdigit()), EACH)
    found: dict[str, Any] = json.loads(OUT.read_text("utf-8")) if OUT.is_file() else {}
    pilot, port = pilot_of_today(), free_base_port()
    for part in chosen:
        # Each learner comes for the first time: nothing of the lab lies in the home.
        shutil.rmtree(DATA / "homes", ignore_errors=True)
        with practicum(port, part if part != "pages" else "bubblewrap") as site:
            if part == "pages":
                found |= measure_pages(site, pilot, each)
            else:
                opens = measure_opens(site, pilot)
                found["opens"] = {**found.get("opens", {}), part: opens}
        # What a class waits is said of the spawner that the product chooses by itself.
        if opened := found.get("opens", {}).get("quick"):
            names = ("open_p50_seconds", "open_p95_seconds", "opened_without_second_press")
            found |= {name: opened[name] for name in names}
        found["cores"], found["load_average"] = os.cpu_count(), round(os.getloadavg()[0], 1)
        OUT.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
    told = {name: value for name, value in found.items() if name != "pages"}
    print(json.dumps(told, indent=1, ensure_ascii=False))
    if lines := missed(found):
        sys.exit("\n".join(["not as it should be:", *lines]))


if __name__ == "__main__":
    main()
