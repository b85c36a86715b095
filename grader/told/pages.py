"""nbgrader's feedback page of a submission, as its learner may read it.

The rule: it is made of what `withheld.py` leaves, and whatever of a learner's or an instructor's text becomes HTML is sanitised
after it has become HTML, because markdown makes tags of what had none.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from jinja2 import pass_context
from nbconvert.exporters import HTMLExporter
from nbconvert.preprocessors.sanitize import SanitizeHTML
from nbgrader.converters.generate_feedback import GenerateFeedback
from nbgrader.preprocessors import NbGraderPreprocessor

from grader.course_files import inside
from grader.told.withheld import for_learner, graded_notebooks

TAGS = (
    "a", "abbr", "b", "blockquote", "br", "code", "del", "dd", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6",
    "hr", "i", "kbd", "li", "ol", "p", "pre", "s", "span", "strong", "sub", "sup", "table", "tbody", "td", "th", "thead", "tr",
    "ul",
)  # fmt: skip
ATTRIBUTES = {"a": ["href", "title"], "abbr": ["title"], "div": ["class"], "span": ["class"], "code": ["class"],
              "td": ["align"], "th": ["align"]}  # fmt: skip


class ForLearner(NbGraderPreprocessor):  # type: ignore[misc]
    """Puts what a learner may see in the place of the graded notebook."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        info = resources["nbgrader"]
        root = Path(resources["metadata"]["path"]).resolve().parents[2]
        for graded in graded_notebooks(root, info["student"], info["assignment"]):
            if graded.name == info["notebook"]:
                return for_learner(graded), resources
        # Better an empty page than one that nobody has looked through.
        nb.cells = []
        return nb, resources


class LearnerPage(HTMLExporter):
    """nbgrader's page, whose markdown is sanitised where it has become HTML."""

    @pass_context
    def markdown2html(self, context: Any, source: str) -> str:
        made = super().markdown2html(context, source)
        return str(SanitizeHTML(tags=list(TAGS), attributes=ATTRIBUTES).sanitize_html_tags(made))


class Pages:
    """Makes the pages of one lab's submissions with one exporter, which is what takes time to get ready."""

    def __init__(self, coursedir: Any, config: Any, lab: str) -> None:
        coursedir.assignment_id = lab
        self._coursedir, self._root, self._lab = coursedir, Path(coursedir.root), lab
        self._converter = GenerateFeedback(coursedir=coursedir, config=config)
        self._exporter = self._converter.exporter_class(parent=self._converter, config=self._converter.config)
        for name in self._converter.preprocessors:
            self._exporter.register_preprocessor(name)

    def make(self, learner: str) -> None:
        """Make a submission's pages anew; those of an earlier time are gone even where this fails."""
        folder, source = (inside(self._root, step, learner, self._lab) for step in ("feedback", "autograded"))
        if folder is None or source is None:
            raise ValueError("a link stands in the way")
        shutil.rmtree(folder, ignore_errors=True)
        self._coursedir.student_id = learner
        pages = [(path.stem, self._page(path)) for path in sorted(source.glob("*.ipynb"))]
        folder.mkdir(parents=True)
        for name, page in pages:
            (folder / f"{name}.html").write_text(page, "utf-8")

    def _page(self, notebook: Path) -> str:
        resources = self._converter.init_single_notebook_resources(str(notebook))
        page, _ = self._exporter.from_filename(str(notebook), resources=resources)
        return str(page)
