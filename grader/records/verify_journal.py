#!/usr/bin/env python3
"""Verify a journal of Practicum from outside: `python3 verify_journal.py EVENTS [HEADS]`.

EVENTS is a copy of records.db, or the lines that `practicum journal dump` writes. HEADS is a copy of heads.jsonl, best one
that you kept yourself; with the folder `keys` beside it and the package `cryptography`, its signatures are verified too.
The rule: nothing of Practicum is used, only Python. It prints the number of events and the last hash, the head.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

COLUMNS = "seq, id, at, actor, kind, course_id, subject, payload, key, previous, hash"
HASHED = ("seq", "id", "at", "actor", "kind", "course", "subject", "payload", "key", "previous")


def events(file: Path) -> Iterator[dict[str, Any]]:
    """Every event in its order, with the fields that are hashed, and `hash`."""
    with file.open("rb") as stream:
        if stream.read(15) != b"SQLite format 3":
            stream.seek(0)
            yield from map(json.loads, stream)
            return
    for row in sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True).execute(
        f"SELECT {COLUMNS} FROM event ORDER BY seq"  # noqa: S608
    ):
        event = dict(zip((*HASHED, "hash"), row, strict=True))
        event["at"] = datetime.fromisoformat(event["at"]).isoformat() + "+00:00"
        event["payload"] = json.loads(event["payload"])
        yield event


def canonical(fields: dict[str, Any]) -> bytes:
    """JSON with sorted keys, no spaces, and letters outside ASCII as they are."""
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def check_heads(file: Path) -> tuple[dict[int, str], dict[int, str]]:
    """Give the hashes that were exported, by event, and the SHA-256 of each line, by its number."""
    kept, lines, previous, keys = {}, {}, "0" * 64, file.parent / "keys"
    verifying = _public_keys(keys)
    for number, line in enumerate(file.read_bytes().splitlines(), start=1):
        head = json.loads(line)
        signature = head.pop("signature")
        if head["number"] != number or head["previous"] != previous:
            fail(f"head {number} does not follow the line before")
        if verifying is not None and not verifying(head["key"], bytes.fromhex(signature), canonical(head)):
            fail(
                f"head {number} (of event {head['seq']}) has a wrong signature, or its key {head['key']} is not in {keys}"
            )
        previous = hashlib.sha256(line).hexdigest()
        kept[head["seq"]], lines[number] = head["hash"], previous
    return kept, lines


def _public_keys(folder: Path) -> Any:
    """Give what verifies a signature by the name of its key, or None where the package for it is not there."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError:
        print("signatures are not verified: the Python package cryptography is missing", file=sys.stderr)
        return None
    pems = [path.read_bytes() for path in folder.glob("*.pem")]
    known: dict[str, Any] = {hashlib.sha256(pem).hexdigest()[:16]: load_pem_public_key(pem) for pem in pems}

    def holds(key: str, signature: bytes, signed: bytes) -> bool:
        try:
            known[key].verify(signature, signed)
        except (InvalidSignature, KeyError):
            return False
        return True

    return holds


def main(argv: list[str]) -> None:
    """Walk the chain; the exit code is 1 at the first event that does not hold."""
    if len(argv) not in (2, 3):
        fail("usage: verify_journal.py EVENTS [HEADS]")
    kept, lines = check_heads(Path(argv[2])) if len(argv) == 3 else ({}, {})
    seq, previous = 0, "0" * 64
    for event in events(Path(argv[1])):
        right = hashlib.sha256(canonical({name: event[name] for name in HASHED})).hexdigest()
        if (event["seq"], event["previous"], event["hash"]) != (seq + 1, previous, right):
            fail(f"event {event['seq']} does not hold")
        seq, previous = event["seq"], event["hash"]
        if kept.get(seq, previous) != previous:
            fail(f"event {seq} does not hold: another hash of it was exported, so the chain was written anew")
        noted = event["payload"]
        if lines and event["kind"] == "journal.head" and lines.get(noted["number"], noted["sha256"]) != noted["sha256"]:
            fail(f"event {seq} does not hold: head {noted['number']} is another one")
    if cut := [number for number in kept if number > seq]:
        fail(f"event {seq + 1} does not hold: it is missing, and the hash of event {max(cut)} was exported")
    print(seq, previous)


def fail(said: str) -> NoReturn:
    """End with a sentence."""
    sys.exit(said)


if __name__ == "__main__":
    main(sys.argv)
