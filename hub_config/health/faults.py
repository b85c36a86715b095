"""What the services' logs say went wrong of late. The rule: a log is hostile text; secrets, people and their words are left out.

Shown is the shape of a fault: the time, who wrote it, the kind of error. What stands in quotes, what an exception says of
itself, paths, people's logins and names, secrets, what looks like one, and every word that is not plain ASCII is taken out.
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from hub_config.ai_gateway.redact import KEY_MARK, without_keys, without_personal_data
from hub_config.settings import Settings

SERVICES = ("proxy", "template", "model", "gateway", "portal", "hub")
READ_BYTES, LINE, SHOWN, MOST = 64_000, 2_000, 240, 20
#: The shortest secret that is looked for; the words of a shorter one would be taken out of every line.
SHORTEST = 8
_BEGINS = re.compile(r"\[[EC] |\w{1,80}(?:\.\w{1,80}){0,8}(?:Error|Exception)\b")
_HOLDS = re.compile(r'\b(?:ERROR|CRITICAL|FATAL|Traceback)\b|"level": ?"(?:error|critical)"|\berror:')
#: One of them is in whatever holds a fault: they are looked for first, since the pattern takes ten times as long.
_MARKS = ("ERROR", "CRITICAL", "FATAL", "Traceback", '"error"', '"critical"', "error:")
_SAID = re.compile(r"\b(\w{0,80}(?:Error|Exception|Warning|Timeout))\b.*")
_QUOTED = re.compile("\"[^\"]*\"?|'[^']*'?|`[^`]*`?")
_PATH = re.compile(r"(?:\w{2,12}:/)?/[^\s,;)\]]*")
_OPAQUE = re.compile(r"[A-Za-z0-9_+=.-]{20,}")
_FOREIGN = re.compile(r"[^\x20-\x7e]+")
_JSON = re.compile(r'"(?:at|level|logger|message)": ?"([^"\\]{0,200})"')


@dataclass(frozen=True)
class Fault:
    """A line of a service's log, with nothing in it but its shape, and how often it stands there."""

    service: str
    said: str
    count: int = 1


def look(settings: Settings, people: Callable[[], Collection[str]]) -> tuple[Fault, ...]:
    """The newest faults of each service's log, the newest first; `people` gives logins and names to be left out."""
    lines_of = {service: _lines(settings.data / "logs", service) for service in SERVICES}
    if not any(lines_of.values()):
        return ()
    secrets = _secrets(settings)
    known = {word.casefold() for word in people()}
    found: list[Fault] = []
    for service, lines in lines_of.items():
        counted = Counter(shape(line, secrets, known) for line in reversed(lines))
        found += [Fault(service, said, many) for said, many in list(counted.items())[:MOST] if said]
    return tuple(found)


def _lines(logs: Path, service: str) -> list[str]:
    """The lines that tell of a fault; a service of several processes has a log for each."""
    paths = [logs / f"{service}.log", *sorted(logs.glob(f"{service}-[0-9].log"))]
    return [line for path in paths for line in telling(_tail(path))]


def telling(lines: list[str]) -> list[str]:
    """Those of the lines that tell of a fault."""
    whole = "\n".join(lines)
    marks = [mark for mark in _MARKS if mark in whole]
    return [
        line for line in lines if _BEGINS.match(line) or (any(mark in line for mark in marks) and _HOLDS.search(line))
    ]


def shape(line: str, secrets: Iterable[str], people: Collection[str]) -> str:
    """What may be shown of a line."""
    if line.startswith("{"):
        line = " ".join(_JSON.findall(line))
    line = without_personal_data(without_keys(line[:LINE], secrets))
    line = _PATH.sub("/…", _QUOTED.sub("…", line))
    line = _SAID.sub(r"\1", _FOREIGN.sub("…", line.replace("…", "\x00")).replace("\x00", "…"))
    line = " ".join(_word(word, people) for word in _OPAQUE.sub(_opaque, line).split())
    return line[:SHOWN]


def _opaque(found: re.Match[str]) -> str:
    """A long run of letters and digits is a token unless it is a dotted or plain word."""
    text = found[0]
    return KEY_MARK if any(letter.isdigit() for letter in text) and any(letter.isalpha() for letter in text) else text


def _word(word: str, people: Collection[str]) -> str:
    return "…" if word.strip(".,:;()[]<>=").casefold() in people else word


def _secrets(settings: Settings) -> list[str]:
    """Every secret of the installation, and the providers' keys, the longest first."""
    files = [path for path in (settings.data / "secrets").rglob("*") if path.is_file()]
    files += [provider.api_key_file for provider in settings.providers.values() if provider.api_key_file]
    found = set()
    for file in files:
        try:
            found.add(file.read_bytes()[:READ_BYTES].decode("utf-8", "replace").strip())
        except OSError:
            continue
    return sorted((secret for secret in found if len(secret) >= SHORTEST), key=len, reverse=True)


def _tail(path: Path) -> list[str]:
    """The last lines of a log, in pieces of bounded length; what is no plain file is not opened, and not waited for."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return []
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        return []
    with os.fdopen(handle, "rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - READ_BYTES))
        lines = stream.read(READ_BYTES).decode("utf-8", "replace").splitlines()
    return [line[:LINE] for line in (lines[1:] if size > READ_BYTES else lines)]
