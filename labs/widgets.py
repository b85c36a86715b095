"""Small forms, so that somebody who does not program can do a lab.

Each form can also be filled from code (`fill`, `value`), so a notebook runs from top to bottom with reference answers, and
keeps what was typed in the lab's folder, so a restarted kernel loses nothing.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ipywidgets as ipw

from labs.ai import ai_error_sentence
from labs.evidence import Decision, Item, receipt_id, save_evidence
from labs.session import LabSession
from labs.texts import UserError

WIDE = {"width": "100%"}


@contextmanager
def errors_shown(lab: LabSession, status: ipw.HTML) -> Iterator[None]:
    """Show what goes wrong behind a button in the form's status line; nobody sees what a callback raises."""
    status.value = ""
    try:
        yield
    except Exception as error:
        known = _known(lab, error)
        said = known or lab.text(
            f"저장하지 못했습니다({type(error).__name__}). 계속되면 강사에게 알리세요.",
            f"This was not saved ({type(error).__name__}); if it goes on, tell your instructor.",
        )
        status.value = f"<b style='color:#b00020'>{html.escape(said)}</b>"
        if not known:
            raise


def _known(lab: LabSession, error: Exception) -> str:
    from openai import OpenAIError  # takes half a second, which a form that works need not wait for

    if isinstance(error, UserError):
        return error.text.in_(lab.lang)
    return ai_error_sentence(error, lab.lang) if isinstance(error, OpenAIError) else ""


class TextForm:
    """One question with a text box; the answer is kept under its id."""

    def __init__(self, lab: LabSession, question_id: str, label: str, *, start: str = "", rows: int = 4) -> None:
        self.lab, self.question_id = lab, question_id
        self.box = ipw.Textarea(value=lab.answers.get(question_id, start), layout={**WIDE, "height": f"{rows * 1.7}em"})
        self._status = ipw.HTML()
        self.box.observe(self._keep, names="value")
        self.widget = ipw.VBox([ipw.HTML(f"<b>{html.escape(label)}</b>"), self.box, self._status])

    def _keep(self, change: dict[str, Any]) -> None:
        with errors_shown(self.lab, self._status):
            self.lab.answer(self.question_id, change["new"])

    @property
    def value(self) -> str:
        return str(self.box.value)

    @value.setter
    def value(self, text: str) -> None:
        self.box.value = text

    def _ipython_display_(self) -> None:
        _display(self.widget)


@dataclass(frozen=True)
class Question:
    """One AI answer to judge: what it is about, what the AI said and why."""

    id: str
    text: str
    ai: str
    ai_reason: str = ""
    receipt: str = ""


class ReviewForm:
    """Every AI answer in a row: keep it or choose another, and say why.

    `accept` is the choice that takes an answer as it stands, where the answer is not itself one of the choices; then nothing
    is chosen beforehand. `width` is that of the choices.
    """

    def __init__(
        self,
        lab: LabSession,
        questions: Sequence[Question],
        choices: Mapping[str, str],
        *,
        model: str = "",
        accept: str = "",
        width: str = "9em",
    ) -> None:
        self.lab, self.questions, self.choices, self.model = lab, list(questions), dict(choices), model
        self.accept = accept
        known = {item.id: item for item in lab.evidence.items}
        options = [(label, value) for value, label in self.choices.items()]
        self._final, self._reason = {}, {}
        for question in self.questions:
            before = known.get(question.id)
            start = before.final if before and before.final in self.choices else question.ai
            self._final[question.id] = ipw.Dropdown(
                options=options, value=start if start in self.choices else None, layout={"width": width}
            )
            self._reason[question.id] = ipw.Text(
                value=before.reason if before else "",
                layout={"width": "24em"},
                placeholder=lab.text("판단한 이유", "Your reason")
                if accept
                else lab.text("바꾸었다면 이유를 적으세요", "Why, if you changed it"),
            )
        self._status = ipw.HTML()

    def fill(self, answers: Mapping[str, tuple[str, str]]) -> None:
        """Put choices and reasons in, by question id; KeyError for an unknown question."""
        for question_id, (final, reason) in answers.items():
            self._final[question_id].value = final
            self._reason[question_id].value = reason

    @property
    def final(self) -> dict[str, str]:
        """The learner's choice for each question that has one."""
        return {key: box.value for key, box in self._final.items() if box.value is not None}

    def save(self) -> None:
        """Write the evidence: an answer that was changed counts as edited."""
        save_evidence(self.lab.folder, [self._item(q) for q in self.questions if self._final[q.id].value is not None])
        self._status.value = html.escape(self.lab.text("저장했습니다.", "Saved."))

    def _save_or_say(self, _button: ipw.Button) -> None:
        with errors_shown(self.lab, self._status):
            self.save()

    def _item(self, question: Question) -> Item:
        final = str(self._final[question.id].value)
        decision: Decision = (
            "accepted"
            if final in (question.ai, self.accept)
            else "edited"
            if question.ai in self.choices
            else "rejected"
        )
        return Item(
            id=question.id,
            ai=question.ai,
            final=final,
            decision=decision,
            model=self.model,
            receipt=receipt_id(question.receipt),
            reason=self._reason[question.id].value,
        )

    def _ipython_display_(self) -> None:
        button = ipw.Button(description=self.lab.text("검토 저장", "Save my review"), button_style="primary")
        button.on_click(self._save_or_say)
        rows = [self._row(number, question) for number, question in enumerate(self.questions, 1)]
        _display(ipw.VBox([*rows, ipw.HBox([button, self._status])]))

    def _row(self, number: int, question: Question) -> ipw.VBox:
        said = html.escape(self.choices.get(question.ai, question.ai))
        about, why = html.escape(question.text), html.escape(question.ai_reason)
        shown = f"{number}. {about}<br><small>AI: <b>{said}</b> {why}</small>"
        if self.accept:  # what is judged is the AI's answer itself, so that is what is read first
            shown = f"<small>{number}. {about}</small><br>AI: <b>{said}</b> <small>{why}</small>"
        text = ipw.HTML(f"<div style='line-height:1.5'>{shown}</div>")
        return ipw.VBox(
            [text, ipw.HBox([self._final[question.id], self._reason[question.id]])],
            layout={"border_bottom": "1px solid #ddd", "padding": "4px 0"},
        )


def _display(widget: Any) -> None:
    from IPython.display import display

    display(widget)
