"""`python -m hub_config.ai_gateway CONFIG.json`: run the gateway. The rule: a wrong setting is one line, without its value."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from pydantic import ValidationError

from hub_config.ai_gateway.app import serve
from hub_config.ai_gateway.config import GatewayConfig, read_config
from hub_config.ai_gateway.ledger import LedgerError
from hub_config.ai_gateway.operation import log_to_stderr


def _read(path: Path) -> GatewayConfig:
    """Read the settings. Beside them stands which process did, written before: settings that are newer were not read yet."""
    fresh = path.with_suffix(".pid.new")
    fresh.write_text(str(os.getpid()))
    fresh.replace(path.with_suffix(".pid"))
    return read_config(path)


def main() -> int:
    """Run until a signal; 2 where the settings are wrong, 1 where it cannot start."""
    log_to_stderr()
    if len(sys.argv) != 2:
        print("python -m hub_config.ai_gateway CONFIG.json", file=sys.stderr)
        return 2
    try:
        path = Path(sys.argv[1])
        asyncio.run(serve(_read(path), lambda: _read(path)))
    except ValidationError as error:  # its own text would quote the settings, and with them a key
        for problem in error.errors(include_input=False, include_url=False):
            where = ".".join(str(step) for step in problem["loc"])
            print(f"{sys.argv[1]}: {where}: {problem['msg']}", file=sys.stderr)
        return 2
    except (OSError, LedgerError) as error:
        print(f"the AI gateway did not start: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
