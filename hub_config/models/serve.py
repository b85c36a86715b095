"""The chat model's server: `python -m hub_config.models.serve --model PATH --alias NAME --socket PATH --api-key-file F`.

The rule: it listens on a socket file, or with --port on loopback only, and answers nothing but /health without the key,
because learners' processes share the loopback network. It speaks the OpenAI API; /health answers 503 while the weights load and 200 once they stand.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import Any

LOOPBACK = "127.0.0.1"
#: llama.cpp's levels: 0 output, 1 errors, 2 warnings, 3 what it does with each call.
ERRORS = 1


def read_key(path: Path) -> str:
    """Read the API key; SystemExit says what is wrong where there is none."""
    try:
        key = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SystemExit(f"the API key file {path} cannot be read: {type(error).__name__}") from error
    if len(key) < 16:
        raise SystemExit(f"the API key file {path} must hold a key of at least 16 characters")
    return key


def parameters(options: argparse.Namespace, key: str) -> Any:
    """Give xllamacpp's parameters: the key required, no pages, no view into other people's slots."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(options.model)
    params.model_alias = {options.alias}
    params.api_keys = [key]
    # llama.cpp takes a name that ends in .sock for the path of a socket.
    params.hostnames = [str(options.socket) if options.socket else LOOPBACK]
    params.port = options.port or 0
    params.n_parallel = options.slots
    params.n_ctx = options.context_per_slot * options.slots  # llama.cpp divides it among the slots
    params.cpuparams.n_threads = options.threads
    params.cpuparams_batch.n_threads = options.threads
    params.ui = params.endpoint_slots = params.endpoint_props = params.endpoint_metrics = False
    params.cache_ram_mib = 0  # its cache of old prompts may grow to 8 GiB, and holds learners' texts
    params.verbosity = ERRORS  # its warnings quote learners' texts
    return params


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m hub_config.models.serve")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--alias", required=True)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--port", type=int)
    where.add_argument("--socket", type=Path)
    parser.add_argument("--api-key-file", type=Path, required=True)
    parser.add_argument("--slots", type=int, default=2, help="calls answered at once")
    parser.add_argument("--context-per-slot", type=int, default=4096, help="tokens, prompt and answer together")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    return parser.parse_args(arguments)


def main() -> int:
    """Serve until a signal ends the process."""
    options = parse(sys.argv[1:])
    key = read_key(options.api_key_file)
    if not options.model.is_file():
        raise SystemExit(f"the weights {options.model} are not there: fetch them first")
    # Nothing is kept, so a signal may end the process at once, even in the middle of loading in C++.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    import xllamacpp

    try:
        server = xllamacpp.Server(parameters(options, key))
    except RuntimeError as error:
        raise SystemExit(f"the model server did not start: {error}") from error
    print(f"model {options.alias} ready at {server.listening_address}", flush=True)
    while True:
        signal.pause()


if __name__ == "__main__":
    raise SystemExit(main())
