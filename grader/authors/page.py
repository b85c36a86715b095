"""A released notebook as a page to look at, and the solutions that are left in what is handed out.

The rule: markup of a lab is cleaned here, and is not trusted all the same: whoever shows the page shows it in a frame that runs no
script and loads nothing.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bleach
from nbconvert.filters import markdown2html

from grader.own.marks import has_mark
from labs.catalog import LabFolder
from labs.texts import Lang

#: Names without their brackets.
TAGS = frozenset(re.findall(
    r"\w+", "a abbr b blockquote br caption code col colgroup dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr i img kbd li mark ol p pre "
    "q s small span strong sub summary sup table tbody td tfoot th thead tr u ul"))  # fmt: skip
ATTRIBUTES = {"a": ["href", "title"], "img": ["src", "alt", "title"], "td": ["colspan", "rowspan", "align"],
              "th": ["colspan", "rowspan", "align", "scope"]}  # fmt: skip
TEXTS = (".md", ".txt", ".json", ".csv", ".srt", ".yaml", ".html", ".svg", ".py")
PICTURES = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".gif": "gif", ".webp": "webp"}
MAX_PICTURE = 2_000_000
#: What nbconvert puts behind each heading.
ANCHOR = re.compile(r'<a class="anchor-link"[^>]*>[^<]*</a>')
#: Shorter lines, such as a bracket, stand in many places and tell nothing.
TELLING = 16
WORDS = {
    "yours": {"ko": "훈련생이 쓰는 칸", "en": "The learner's cell"},
    "folded": {"ko": "접혀 있는 칸", "en": "Folded cell"},
}
STYLE = """body{font:16px/1.7 system-ui,sans-serif;margin:0;padding:16px;color:#1a1d21;background:#fff;overflow-wrap:anywhere}
pre{background:#f3f5f7;padding:12px;overflow:auto;border-radius:6px;font-size:14px;line-height:1.5}
.yours pre{background:#fff;border:2px solid #2563a8}.label{font-size:13px;color:#555;margin:0}table{border-collapse:collapse}
td,th{border:1px solid #ccd2d8;padding:4px 10px;text-align:left}img{max-width:100%}h1,h2,h3{line-height:1.35}"""


def render_page(folder: Path, lab_id: str, lang: Lang) -> str:
    """A handed-out notebook before anything of it was run, as one page without scripts."""
    cells = json.loads((folder / f"{lab_id}.ipynb").read_text("utf-8"))["cells"]
    body = "\n".join(_cell(cell, folder, lang) for cell in cells)
    return f'<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><title>{lab_id}</title><style>{STYLE}</style></head><body>{body}</body></html>'


def _cell(cell: dict[str, Any], folder: Path, lang: Lang) -> str:
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return _with_pictures(clean(ANCHOR.sub("", str(markdown2html(source)))), folder)
    code = f"<pre><code>{html.escape(source)}</code></pre>"
    marks = cell["metadata"]
    if marks.get("nbgrader", {}).get("solution"):
        return f'<div class="yours"><p class="label">{WORDS["yours"][lang]}</p>{code}</div>'
    if marks.get("jupyter", {}).get("source_hidden"):
        return f"<details><summary>{WORDS['folded'][lang]}</summary>{code}</details>"
    return code


def clean(markup: str) -> str:
    """Markup without anything that acts or loads."""
    return str(
        bleach.clean(markup, tags=TAGS, attributes=ATTRIBUTES, protocols={"https", "http", "mailto"}, strip=True)
    )


def _with_pictures(markup: str, folder: Path) -> str:
    """Pictures of the lab's own folder stand in the page itself; others are not loaded."""

    def one(found: re.Match[str]) -> str:
        path = folder / html.unescape(found[1])
        kind = PICTURES.get(path.suffix.lower())
        if kind is None or not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
            return 'src=""'
        data = path.read_bytes()[: MAX_PICTURE + 1]
        return (
            f'src="data:image/{kind};base64,{base64.b64encode(data).decode()}"'
            if len(data) <= MAX_PICTURE
            else 'src=""'
        )

    return re.sub(r'(?<=[\s])src="([^"]*)"', one, markup)


def leaks_of(source: Path, released: Path, lab: LabFolder) -> list[list[str]]:
    """Where a solution or a key stands in what is handed out: file, and what of it."""
    hidden = set(_solution_lines((source / f"{lab.id}.ipynb").read_text("utf-8")))
    keys = {path.read_bytes(): path.relative_to(lab.folder).as_posix() for name in ("server", "reference")
            for path in (lab.folder / name).rglob("*") if path.is_file() and path.stat().st_size}  # fmt: skip
    return [
        [path.relative_to(released).as_posix(), what]
        for path in sorted(released.rglob("*"))
        if path.is_file()
        for what in _leaks_in(path, hidden, keys)
    ]


def _leaks_in(path: Path, hidden: set[str], keys: dict[bytes, str]) -> Iterator[str]:
    if (key := keys.get(path.read_bytes())) is not None:
        yield key
    if path.suffix not in (*TEXTS, ".ipynb"):
        return
    text = path.read_text("utf-8", errors="replace")
    lines = {line.strip() for line in (_notebook_lines(text) if path.suffix == ".ipynb" else text.splitlines())}
    yield from sorted(hidden & lines)
    if any(map(has_mark, lines)):
        yield "BEGIN SOLUTION"


def _notebook_lines(text: str) -> Iterator[str]:
    for cell in json.loads(text)["cells"]:
        yield from "".join(cell["source"]).splitlines()


def _solution_lines(notebook: str) -> Iterator[str]:
    """The telling lines of a source notebook between nbgrader's marks."""
    inside = False
    for line in _notebook_lines(notebook):
        if has_mark(line):
            inside = "BEGIN" in line.upper()
        elif inside and len(line.strip()) >= TELLING and not re.match(r"\s*(#|import |from )", line):
            yield line.strip()
