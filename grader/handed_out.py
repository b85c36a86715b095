"""The description of a lab as it was handed out. The rule: what cannot be read is none, and breaks no page."""

from __future__ import annotations

from pydantic import ValidationError

from grader.records.blobs import BlobStore, Manifest
from grader.records.models import Event
from labs.spec import FILE, LabSpec


def spec_of(blobs: BlobStore, release: Event | None) -> LabSpec | None:
    """The handed-out `lab.json`; none for an assignment that an instructor wrote without one."""
    manifest = Manifest.model_validate(release.payload["manifest"]) if release else Manifest(files=())
    entry = next((file for file in manifest.files if file.path == FILE), None)
    if entry is None:
        return None
    try:
        return LabSpec.model_validate_json(blobs.path(entry.sha256).read_bytes())
    except (ValidationError, FileNotFoundError):
        return None
