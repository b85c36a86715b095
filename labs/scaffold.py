"""Makes a new lab from the template: small, complete, and with a mark wherever its author has still to write.

The rule: all of it or nothing. What is asked for is refused before the first file is written, and nothing that stands is written over.
"""

from __future__ import annotations

import json
import keyword
import re
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import yaml
from pydantic import TypeAdapter, ValidationError

from labs.catalog import pack_folders, packs
from labs.evidence import write_text_safely
from labs.manifest import Profession, Slug, load
from labs.texts import UserError

TEMPLATE = Path(__file__).parent / "template"


class CannotMake(UserError):
    """A lab that cannot be made as asked; the text says what would be right."""


def new_lab(slug: str, folder: Path, *, title_ko: str, title_en: str, minutes: int) -> Path:
    """Make a lab in a pack, or in a new pack where the folder is empty or not there; give the lab's folder."""
    _must_be_slug(slug)
    pack = find_pack(folder)
    words = {"slug": slug, "module": f"{slug.replace('-', '_')}_checks", "minutes": str(minutes),
             "title_ko": json.dumps(title_ko, ensure_ascii=False), "title_en": json.dumps(title_en, ensure_ascii=False),
             "plain_title_ko": _one_line(title_ko), "plain_title_en": _one_line(title_en)}  # fmt: skip
    return _add(pack, slug, words) if pack else _begin(folder, slug, words)


def find_pack(folder: Path) -> Path | None:
    """The pack that a folder is or has as its only one; None where it is empty; CannotMake where it is anything else."""
    if (folder / "profession.yaml").is_file():
        return folder.resolve()
    inside = sorted(path.parent for path in folder.glob("*/profession.yaml"))
    if len(inside) == 1:
        return inside[0].resolve()
    if folder.exists() and (not folder.is_dir() or inside or any(folder.iterdir())):
        raise CannotMake(
            f"{folder}: 직무 꾸러미의 폴더(profession.yaml이 있는 곳)가 아니고 비어 있지도 않습니다. --in으로 직무 꾸러미의 폴더나 새 폴더를 주세요.",
            f"{folder} is no pack's folder (one with profession.yaml) and not empty; give a pack's folder or a new one with --in",
        )
    return None


def _must_be_slug(slug: str) -> None:
    try:
        TypeAdapter(Slug).validate_python(slug)
    except ValidationError:
        near = re.sub(r"[^a-z0-9]+", "-", slug.lower()).strip("-0123456789")[:60] or "meeting-minutes"
        raise CannotMake(
            f"'{slug[:80]}'은(는) 실습의 아이디가 될 수 없습니다. 영어 소문자와 숫자를 '-'로 이어 쓰세요. 예: {near}",
            f"'{slug[:80]}' cannot be a lab's id: lower-case letters and digits, joined by '-'; for example {near}",
        ) from None
    for pack in packs().values():
        if slug in pack.profession.labs:
            raise CannotMake(
                f"{slug}: 이미 {pack.name} 직무 꾸러미의 실습입니다. 다른 아이디를 쓰세요.",
                f"{slug} is a lab of the pack {pack.name} already; take another id",
            )


def _add(pack: Path, slug: str, words: dict[str, str]) -> Path:
    """Put a lab into a pack that stands: the lab's folder, its checks, its line in profession.yaml."""
    manifest = pack / "profession.yaml"
    profession = load(manifest, Profession)
    target, module = pack / "labs" / slug.replace("-", "_"), pack / f"{words['module']}.py"
    for path in (target, module):
        if path.exists() or path.is_symlink():
            raise CannotMake(
                f"{path}: 이미 있습니다. 다른 아이디를 쓰세요.", f"{path} is there already; take another id"
            )
    if slug in profession.labs:
        raise CannotMake(f"{slug}: profession.yaml에 이미 있습니다.", f"{slug} is in profession.yaml already")
    first = profession.competencies[0].id if profession.competencies else ""
    words = {**words, "pack": pack.name, "competency": first}
    listed = with_lab(manifest.read_text("utf-8"), slug)
    target.parent.mkdir(exist_ok=True)
    _lay_out(TEMPLATE / "lab", target, words)
    module.write_text(_filled((TEMPLATE / "checks.py.txt").read_text("utf-8"), words), "utf-8")
    write_text_safely(manifest, listed)
    return target


def _begin(folder: Path, slug: str, words: dict[str, str]) -> Path:
    """Make a pack of one's own with this lab as its first."""
    name = folder.resolve().name
    pack = re.sub(r"[-. ]+", "_", name.lower())
    taken = pack in sys.stdlib_module_names or pack in pack_folders() or keyword.iskeyword(pack)
    if not re.fullmatch(r"[a-z][a-z0-9_]*", pack) or taken or find_spec(pack) is not None:
        raise CannotMake(
            f"{name}: 직무 꾸러미의 이름으로 쓸 수 없습니다(영어 소문자로 시작하고, 설치된 파이썬 패키지와 달라야 합니다). 예: my-lessons",
            f"{name} cannot be a pack's name: it begins with a lower-case letter and differs from every installed Python package; for example my-lessons",
        )
    words = {**words, "pack": pack, "project": pack.replace("_", "-"), "competency": "ai-review"}
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.resolve().parent) as made:
        root = Path(made) / "made"
        _lay_out(TEMPLATE / "lab", root / pack / "labs" / slug.replace("-", "_"), words)
        for source, place in (("pack/profession.yaml", f"{pack}/profession.yaml"), ("pack/pyproject.toml.txt", "pyproject.toml"),
                              ("checks.py.txt", f"{pack}/{words['module']}.py")):  # fmt: skip
            (root / place).write_text(_filled((TEMPLATE / source).read_text("utf-8"), words), "utf-8")
        (root / pack / "__init__.py").write_text('"""A profession pack of Practicum."""\n', "utf-8")
        if folder.exists():
            folder.rmdir()  # empty: find_pack has looked
        root.rename(folder.resolve())
    return folder / pack / "labs" / slug.replace("-", "_")


def _lay_out(source: Path, target: Path, words: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory(prefix=".new-", dir=_standing(target.parent)) as made:
        root = Path(made) / "made"
        for path in sorted(p for p in source.rglob("*") if p.is_file()):
            place = root / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(_filled(path.read_text("utf-8"), words), "utf-8")
        target.parent.mkdir(parents=True, exist_ok=True)
        root.rename(target)


def _standing(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _filled(text: str, words: dict[str, str]) -> str:
    return re.sub(r"@(\w+)@", lambda found: words.get(found[1], found[0]), text)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def with_lab(manifest: str, slug: str) -> str:
    """The text of profession.yaml with one more lab at the end of its list; comments and order stay."""
    root = yaml.compose(manifest, Loader=yaml.SafeLoader)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    labs = next(value for key, value in pairs if key.value == "labs")
    last = labs.value[-1]
    end = last.end_mark.index
    if labs.flow_style:
        return f"{manifest[:end]}, {slug}{manifest[end:]}"
    begin = manifest.rindex("\n", 0, last.start_mark.index) + 1
    lead = manifest[begin : last.start_mark.index]
    rest = manifest.find("\n", end)
    line = f"\n{lead}{slug}"
    return f"{manifest}{line}\n" if rest < 0 else f"{manifest[:rest]}{line}{manifest[rest:]}"
