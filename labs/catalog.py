"""Finding profession packs through the entry-point group `practicum.professions`.

A pack is a package with a `profession.yaml`; an entry point names the package. Nothing here knows a pack's name, so a
new profession is one folder and one line.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
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
    _must_be_parallel(labs)
    return Pack(name, folder, profession, labs)


def _must_be_parallel(labs: Iterable[LabFolder]) -> None:
    """The forms of a skills check are two, and alike in what they are scored by; else their scores could not be compared."""
    forms: dict[str, dict[str, LabFolder]] = {}
    for lab in labs:
        if measures := lab.lab.measures:
            other = forms.setdefault(measures.check, {})
            if measures.form in other:
                raise ManifestError(
                    f"{lab.folder.name}/lab.yaml: measures: {other[measures.form].id} is form '{measures.form}' already"
                )
            other[measures.form] = lab
    for check, pair in forms.items():
        scored = [[(c.id, c.points, c.check) for c in lab.lab.criteria] for lab in pair.values()]
        if any(one != scored[0] for one in scored):
            names = " and ".join(lab.id for lab in pair.values())
            raise ManifestError(f"measures: {check}: criteria and points of {names} must be the same")


#: Packs that this process works on beside the installed ones, or in the place of one.
_at_work: dict[str, Path] = {}


def work_on(name: str, folder: Path) -> None:
    """Take a pack's folder as installed in this process, so that an author can try a pack before installing it."""
    _at_work[name] = folder.resolve()
    forget()


@cache
def pack_folders() -> dict[str, Path]:
    """The folder of every installed pack, by name, whether its manifests can be read or not."""
    found: dict[str, Path] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda p: p.name):
        spec = find_spec(point.value)
        if spec is not None and spec.submodule_search_locations:
            found[point.name] = Path(spec.submodule_search_locations[0])
    return {**found, **_at_work}


@cache
def _read_all() -> tuple[dict[str, Pack], dict[str, str]]:
    """Packs and broken packs: one that cannot be read must not stop the classes of the others."""
    found: dict[str, Pack] = {}
    broken: dict[str, str] = {}
    for name, folder in pack_folders().items():
        try:
            found[name] = read_pack(name, folder)
        except ManifestError as error:
            broken[name] = str(error)
    return found, broken


def packs() -> dict[str, Pack]:
    """Every installed pack that can be read, by name."""
    return _read_all()[0]


def broken_packs() -> dict[str, str]:
    """What is wrong with the packs that cannot be read, by name."""
    return _read_all()[1]


def forget() -> None:
    """Read everything anew at the next call, after a pack came or changed."""
    pack_folders.cache_clear()
    _read_all.cache_clear()


def find_lab(lab_id: str) -> LabFolder:
    """Find a lab by its id among all packs; ManifestError where there is none, or two."""
    hits = [lab for pack in packs().values() for lab in pack.labs if lab.id == lab_id]
    if len(hits) != 1:
        known = ", ".join(sorted(lab.id for pack in packs().values() for lab in pack.labs))
        problem = "no such lab" if not hits else f"in {len(hits)} packs: {', '.join(h.pack for h in hits)}"
        broken = "".join(f"; pack {name} cannot be read: {why}" for name, why in broken_packs().items())
        raise ManifestError(f"lab '{lab_id}': {problem}; known labs: {known}{broken}")
    return hits[0]
