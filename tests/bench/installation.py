"""`make bench`: the numbers of a whole installation, measured on the real parts, into var/bench/first.json.

Seconds to a usable page, server start (median of five), memory as PSS by service and for an idle learner's server, seconds
per graded submission, and the size of the environment.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import httpx
from running import Installation, free_base_port, processes, start, token_of
from taken import pss_kb

from hub_config.supervisor import descendants
from labs.catalog import find_lab
from uiux_design.reference import build

COURSE, LAB = "ai-work-ko", "landing-wireframe"
LEARNERS = ("haneul", "doyun", "seoyeon")


def pss_mb(pid: int) -> float:
    """Proportional memory of a process and all below it, in MB."""
    return round(sum(map(pss_kb, [pid, *descendants(pid)])) / 1000, 1)


def server_start_seconds(site: Installation, token: str, login: str) -> float:
    """From asking the Hub for a server to a page of it that answers."""
    headers = {"Authorization": f"Bearer {token}"}
    begin = time.monotonic()
    httpx.post(f"{site.url}/hub/api/users/{login}/server", headers=headers, timeout=120).raise_for_status()
    while httpx.get(f"{site.url}/user/{login}/api/status", headers=headers).status_code != 200:
        time.sleep(0.02)
    return time.monotonic() - begin


def stop_server(site: Installation, token: str, login: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    httpx.delete(f"{site.url}/hub/api/users/{login}/server", headers=headers, timeout=60)
    while httpx.get(f"{site.url}/hub/api/users/{login}", headers=headers).json()["servers"]:
        time.sleep(0.1)


def idle_server_pss_mb(site: Installation, login: str) -> float:
    """The whole sandbox of a learner's server without a kernel."""
    for pid in descendants(site.process.pid):
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        if b"bwrap" in command and f"/home/{login}".encode() in command:
            return pss_mb(pid)
    raise RuntimeError("no server")


def grading_seconds(site: Installation, tokens: dict[str, str]) -> float:
    """Seconds for one submission when three are graded together, from the command to its end."""
    lab = find_lab(LAB)
    url = f"{site.url}/services/portal/api/v1/courses/{COURSE}/labs/{LAB}/submissions"
    for token in tokens.values():
        with tempfile.TemporaryDirectory() as folder:
            build("good", lab.folder, Path(folder), "ko")
            files = [("files", (path.name, path.read_bytes())) for path in Path(folder).iterdir()]
        httpx.post(url, headers={"Authorization": f"Bearer {token}"}, files=files, timeout=60).raise_for_status()
    env = {**os.environ, "PRACTICUM_SETTINGS": str(site.data / "run" / "settings.yaml")}
    begin = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "hub_config.cli", "grade", COURSE, LAB, "--json"],
        env=env,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return (time.monotonic() - begin) / len(tokens)


def folder_mb(path: Path) -> float:
    return round(sum(file.lstat().st_size for file in path.rglob("*") if file.is_file()) / 1e6, 1)


def main() -> None:
    """Measure everything once and write it down."""
    data = Path(tempfile.mkdtemp()) / "var"
    begin = time.monotonic()
    site = start(data, free_base_port())
    result: dict[str, object] = {"first_start_seconds": round(time.monotonic() - begin, 1)}
    try:
        tokens = {login: token_of(site, login) for login in LEARNERS}
        login = LEARNERS[0]
        starts = []
        for _ in range(5):
            starts.append(round(server_start_seconds(site, tokens[login], login), 2))
            time.sleep(3)
            result["server_idle_pss_mb"] = idle_server_pss_mb(site, login)
            stop_server(site, tokens[login], login)
        result |= {"server_start_seconds": starts, "server_start_median_seconds": statistics.median(starts)}
        names = ("hub", "proxy", "portal", "gateway", "model")
        result["service_pss_mb"] = {name: sum(map(pss_mb, pids)) for name in names if (pids := processes(site, name))}
        result["seconds_per_graded_submission"] = round(grading_seconds(site, tokens), 2)
        result["environment_mb"] = folder_mb(Path(sys.prefix))
    finally:
        site.stop()
    begin = time.monotonic()
    site = start(data, free_base_port())
    result["second_start_seconds"] = round(time.monotonic() - begin, 1)
    site.stop()
    shutil.rmtree(data.parent)
    out = Path("var/bench/first.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=1))
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
