"""Which labs an author means: ids of installed labs, or folders of labs, packs or projects that need not be installed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from labs.catalog import LabFolder, find_lab, packs, work_on
from labs.manifest import Lab, ManifestError, Profession, load
from labs.texts import UserError


def labs_meant(given: Sequence[str]) -> list[LabFolder]:
    """The labs of ids and folders; of nothing, those of the current folder, else every installed one."""
    if given:
        return [lab for one in given for lab in _meant(one)]
    here = pack_around(Path())
    return _of_folder(Path()) if here else [lab for pack in packs().values() for lab in pack.labs]


def _meant(one: str) -> list[LabFolder]:
    return _of_folder(Path(one)) if Path(one).is_dir() else [find_lab(one)]


def pack_around(folder: Path) -> Path | None:
    """The pack that a folder is, is a lab of, or has as its only one; None where there is none."""
    folder = folder.resolve()
    if (folder / "lab.yaml").is_file():
        folder = folder.parent.parent
    if (folder / "profession.yaml").is_file():
        return folder
    inside = sorted(path.parent for path in folder.glob("*/profession.yaml"))
    return inside[0] if len(inside) == 1 else None


def _of_folder(folder: Path) -> list[LabFolder]:
    pack = pack_around(folder)
    if pack is None:
        raise UserError(
            f"{folder}: 실습도 팩도 아닙니다. lab.yaml이나 profession.yaml이 있는 폴더, 또는 설치된 실습의 아이디를 주세요.",
            f"{folder}: neither a lab nor a pack; give a folder with lab.yaml or profession.yaml, or an installed lab's id",
        )
    work_on(pack.name, pack)
    profession = load(pack / "profession.yaml", Profession)
    if not (folder / "lab.yaml").is_file():
        return [_lab(pack, slug) for slug in profession.labs]
    slug = folder.resolve().name.replace("_", "-")
    if slug not in profession.labs:
        raise ManifestError(f"{pack.name}/profession.yaml: labs: {slug} is missing; add it")
    return [_lab(pack, slug)]


def _lab(pack: Path, slug: str) -> LabFolder:
    folder = pack / "labs" / slug.replace("-", "_")
    return LabFolder(slug, pack.name, folder, load(folder / "lab.yaml", Lab))
