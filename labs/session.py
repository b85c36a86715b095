"""What a lab notebook's first cell calls: `lab = open_lab()`.

It finds the lab's folder and language, points the plain `openai` client at the AI gateway for this course and lab, and runs
the self-check. Outside a Practicum server it works too; only the AI environment is left as it is.
"""

from __future__ import annotations

import html
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labs.ai import ai_error_sentence, budget_sentence
from labs.checks import CriterionResult, Finding, safe_path
from labs.evidence import Evidence, load_evidence, write_text_safely
from labs.spec import LabSpec, read_spec, run_visible
from labs.telling import tell_self_check

ANSWERS = "answers.json"


class Html:
    """Markup for a notebook's output; every part that comes from a file is escaped before it gets here."""

    def __init__(self, markup: str, plain: str) -> None:
        self.markup, self.plain = markup, plain

    def _repr_html_(self) -> str:
        return self.markup

    def __repr__(self) -> str:
        return self.plain


class LabSession:
    """One learner's work on one lab: its folder, its language, its answers and its self-check."""

    def __init__(self, folder: Path, spec: LabSpec) -> None:
        self.folder, self.spec, self.lang = folder, spec, spec.lang

    def text(self, ko: str, en: str) -> str:
        """Give the text in the lab's language."""
        return en if self.lang == "en" else ko

    @property
    def evidence(self) -> Evidence:
        return load_evidence(self.folder)

    @property
    def answers(self) -> dict[str, str]:
        """What the learner wrote in the notebook's forms, by question."""
        path = self.folder / ANSWERS
        return dict(json.loads(path.read_text("utf-8"))) if path.is_file() else {}

    def answer(self, question: str, value: str) -> None:
        """Keep an answer in answers.json."""
        write_text_safely(
            self.folder / ANSWERS, json.dumps({**self.answers, question: value}, ensure_ascii=False, indent=1)
        )

    def check(self, criterion_id: str) -> Html:
        """Run one criterion as a self-check; a hidden one says what it is about."""
        criterion = self.spec.criterion(criterion_id)
        title = criterion.title.in_(self.lang)
        if criterion.check is None:
            told = (criterion.about or criterion.title).in_(self.lang)
            after = self.text("제출한 뒤에 확인합니다.", "This is checked after you hand in.")
            return Html(
                f"<p><b>{html.escape(title)}</b> · {criterion.points:g}{self.text('점', ' points')}<br>"
                f"{html.escape(told)} {after}</p>",
                f"{title}: {told} {after}",
            )
        result = run_visible(self.spec, criterion_id, self.folder)
        tell_self_check(self.spec.course, self.spec.lab, result)
        return _result_html(title, result, self.lang)

    def checklist(self) -> Html:
        """List the deliverables, and which of them are there."""
        rows, plain = [], []
        for deliverable in self.spec.deliverables:
            path = safe_path(self.folder, deliverable.path)
            size = path.stat().st_size / 1_000_000 if path else None
            state = self.text("없음", "missing") if size is None else f"{size:.1f} MB"
            mark = "✘" if size is None else "✔"
            rows.append(
                f"<li>{mark} <code>{html.escape(deliverable.path)}</code> "
                f"{html.escape(deliverable.title.in_(self.lang))} ({state})</li>"
            )
            plain.append(f"{mark} {deliverable.path} ({state})")
        return Html(f"<ul style='list-style:none;padding-left:0'>{''.join(rows)}</ul>", "\n".join(plain))

    def budget(self) -> Html:
        """Say in one sentence what is left of the AI budget, or why that is not known."""
        said = budget_sentence(self.spec.course, self.spec.lab, self.lang)
        return Html(f"<p>{html.escape(said)}</p>", said)


def open_lab(folder: Path | str = ".", environment: Mapping[str, str] | None = None) -> LabSession:
    """Open the lab in a folder and set the AI environment for it; ManifestError says what to do if it is no lab."""
    path = Path(folder).resolve()
    spec = read_spec(path)
    env = os.environ if environment is None else environment
    if gateway := env.get("PRACTICUM_GATEWAY_URL"):
        os.environ["OPENAI_BASE_URL"] = f"{gateway.rstrip('/')}/{spec.course}/{spec.lab}/v1"
        os.environ["OPENAI_API_KEY"] = env.get("JUPYTERHUB_API_TOKEN", "")
    session = LabSession(path, spec)
    _say_ai_errors_plainly(session)
    return session


def _say_ai_errors_plainly(session: LabSession) -> None:
    """In a notebook, show an AI error as one sentence in the learner's language instead of a traceback."""
    from IPython import get_ipython

    shell = get_ipython()  # type: ignore[no-untyped-call, unused-ignore]
    if shell is None:
        return
    import openai

    def show(
        _shell: Any,
        _kind: type[BaseException],
        error: BaseException,
        _tb: Any,
        tb_offset: int | None = None,  # noqa: ARG001
    ) -> list[str]:
        print(ai_error_sentence(error, session.lang))
        return []

    shell.set_custom_exc((openai.OpenAIError,), show)


def _result_html(title: str, result: CriterionResult, lang: str) -> Html:
    points = f"{result.points:g} / {result.max_points:g}"
    items = [_finding_html(finding, lang) for finding in result.findings]
    markup = (
        f"<p><b>{html.escape(title)}</b> · {points}</p><ul style='list-style:none;padding-left:0'>{''.join(items)}</ul>"
    )
    plain = [
        f"{title}: {points}",
        *(f"  {'✔' if f.ok else '✘'} {f.where or ''} {f.found.in_(lang)}" for f in result.findings),
    ]
    return Html(markup, "\n".join(plain))


def _finding_html(finding: Finding, lang: str) -> str:
    where = f"<code>{html.escape(finding.where)}</code> " if finding.where else ""
    right = "" if finding.ok or finding.right is None else f" → {html.escape(finding.right.in_(lang))}"
    picture = f'<br><img alt="" src="data:image/png;base64,{html.escape(finding.picture)}">' if finding.picture else ""
    return f"<li>{'✔' if finding.ok else '✘'} {where}{html.escape(finding.found.in_(lang))}{right}{picture}</li>"
