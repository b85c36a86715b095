"""Finding profession packs through the entry-point group `practicum.professions`.

A pack is a package with a `profession.yaml`; an entry point names the package. Nothing here knows a pack's name, so a
new profession is one folder and one line.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from labs.manifest import Lab, ManifestError, Profession, load

GROUP = "practicum.professions"


@dataclass(frozen=True)
class LabFolder:
    """A lab on disk: its id (the nbgrader assignment's name), its pack, its folder and its manifest."""

    id: str
    pack: str
    folder: Path
    lab: Lab


@dataclass(frozen=True)
class Pack:
    """A profession pack: its package's folder, its page, and its labs in the page's order."""

    name: str
    folder: Path
    profession: Profession
    labs: tuple[LabFolder, ...]


def read_pack(name: str, folder: Path) -> Pack:
    """Read one pack's folder; ManifestError says what is missing or wrong."""
    profession = load(folder / "profession.yaml", Profession)
    labs = tuple(
        LabFolder(
            slug, name, lab_folder := folder / "labs" / slug.replace("-", "_"), load(lab_folder / "lab.yaml", Lab)
        )
        for slug in profession.labs
    )
    known = {competency.id for competency in profession.competencies}
    for lab in labs:
        if unknown := sorted(set(lab.lab.competencies) - known):
            raise ManifestError(
                f"{lab.folder.name}/lab.yaml: competencies: {', '.join(unknown)} not in profession.yaml"
            )
    return Pack(name, folder, profession, labs)


def packs() -> dict[str, Pack]:
    """Read every installed pack, by name."""
    found: dict[str, Pack] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda p: p.name):
        spec = find_spec(point.value)
        if spec is None or not spec.submodule_search_locations:
            raise ManifestError(f"profession '{point.name}': its package {point.value} cannot be found")
        found[point.name] = read_pack(point.name, Path(spec.submodule_search_locations[0]))
    return found


def find_lab(lab_id: str) -> LabFolder:
    """Find a lab by its id among all packs; ManifestError where there is none, or two."""
    hits = [lab for pack in packs().values() for lab in pack.labs if lab.id == lab_id]
    if len(hits) != 1:
        known = ", ".join(sorted(lab.id for pack in packs().values() for lab in pack.labs))
        problem = "no such lab" if not hits else f"in {len(hits)} packs: {', '.join(h.pack for h in hits)}"
        raise ManifestError(f"lab '{lab_id}': {problem}; known labs: {known}")
    return hits[0]
