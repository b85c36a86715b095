"""A submission's files as the desk shows them. The rule: what a file is called and what is in it decide nothing but text."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from grader.records.blobs import BlobStore, FileEntry
from grader.records.work import Receipt
from hub_config.portal.desk_media import media_type
from hub_config.portal.desk_names import code
from hub_config.portal.desk_text import Shown, text_of
from hub_config.portal.desk_work import Desk
from labs import evidence
from labs.manifest import Deliverable, for_language


@dataclass(frozen=True)
class Piece:
    """One file, or a deliverable that was not handed in; its number is its place in the submission."""

    number: int
    deliverable: Deliverable | None
    entry: FileEntry | None
    media: str | None = None
    text: Shown | None = None

    @property
    def kind(self) -> str:
        return self.deliverable.kind if self.deliverable else ""


def pieces(desk: Desk, receipt: Receipt) -> list[Piece]:
    """The deliverables in the lab's order, then every other file."""
    named = _deliverables(desk)
    files = {entry.path: (number, entry) for number, entry in enumerate(receipt.manifest.files)}
    wanted = [
        piece_of(desk.visit.site.blobs, deliverable, *files.get(path, (-1, None)))
        for path, deliverable in named.items()
    ]
    others = [Piece(number, None, entry) for path, (number, entry) in files.items() if path not in named]
    return [*wanted, *others]


def piece(desk: Desk, receipt: Receipt, number: int) -> Piece | None:
    """One file by its number."""
    if not 0 <= number < len(receipt.manifest.files):
        return None
    entry = receipt.manifest.files[number]
    deliverable = _deliverables(desk).get(entry.path)
    return piece_of(desk.visit.site.blobs, deliverable, number, entry)


def piece_of(blobs: BlobStore, deliverable: Deliverable | None, number: int, entry: FileEntry | None) -> Piece:
    """A file with what of it can be shown."""
    if entry is None or deliverable is None:
        return Piece(number, deliverable, entry)
    file = blobs.path(entry.sha256)
    media = media_type(deliverable.kind, file)
    is_text = deliverable.kind in ("captions", "json", "document")
    return Piece(number, deliverable, entry, media, text_of(file) if is_text else None)


def evidence_of(desk: Desk, receipt: Receipt) -> Path | None:
    """The learner's evidence.json, where it was handed in."""
    entry = next((entry for entry in receipt.manifest.files if entry.path == evidence.FILE), None)
    return desk.visit.site.blobs.path(entry.sha256) if entry else None


def download_name(desk: Desk, receipt: Receipt, found: Piece) -> str:
    """What a downloaded file is called; where names are off, without the learner's own word for it."""
    path = PurePosixPath(found.entry.path if found.entry else "")
    if found.deliverable or not desk.blind:
        return path.name
    ending = path.suffix if path.suffix[1:].isascii() and path.suffix[1:].isalnum() and len(path.suffix) < 7 else ""
    return f"{code(receipt.id)}-{found.number}{ending}"


def _deliverables(desk: Desk) -> dict[str, Deliverable]:
    run = desk.visit.run
    listed = desk.manifest.deliverables if desk.manifest else ()
    return {unicodedata.normalize("NFC", for_language(d.path, run.lang if run else "ko")): d for d in listed}
