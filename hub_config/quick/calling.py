"""How the template is called: its socket, and the words that it takes and gives.

The rule: this needs neither the Hub nor anything that the template imports, so that whoever is of the house can ask how it is.
"""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

#: Fresh and stale are answers to an order; nothing at all means that the fork failed.
STARTED, STALE = b"started", b"stale"
#: The question how it is, and the answer of one that is well.
WELL = b"well"


def connect(path: Path) -> socket.socket:
    """A connection to a template; OSError where there is none, or where too many wait for it."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    folder = -1
    try:
        connection.setblocking(False)
        folder = os.open(path.parent, os.O_PATH | os.O_CLOEXEC)
        connection.connect(f"/proc/self/fd/{folder}/{path.name}")
    except OSError:
        connection.close()
        raise
    finally:
        if folder >= 0:
            os.close(folder)
    return connection


async def answers(path: Path) -> bool:
    """Whether a template listens there and answers, however long it takes."""
    try:
        with connect(path) as template:
            template.send(WELL)
            return bool(await asyncio.get_running_loop().sock_recv(template, 64))
    except OSError:
        return False
