"""Command line of the replay: serve recorded calls alone, or beside one command that asks them.

The rule: the command's end is the server's end, and its exit code is what comes back.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from threading import Thread

from grader.replay.recording import RecordingError, read_recording
from grader.replay.server import ReplayServer


def main() -> int:
    """Serve a file of recorded calls; with a command, run it with the replay as its AI."""
    parser = argparse.ArgumentParser(prog="python -m grader.replay", description=__doc__)
    parser.add_argument("file", type=Path, help="recorded calls, one JSON object a line")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("command", nargs="*", help="after --: what to run beside the server")
    asked = parser.parse_args()
    try:
        server = ReplayServer(read_recording(asked.file), asked.port)
    except (RecordingError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    with server:
        return _beside(server, asked.command) if asked.command else _alone(server)


def _alone(server: ReplayServer) -> int:
    print(f"{server.address}/v1", flush=True)
    server.serve_forever()
    return 0


def _beside(server: ReplayServer, command: list[str]) -> int:
    Thread(target=server.serve_forever, daemon=True).start()
    return subprocess.run(command, env={**os.environ, **server.environment}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
