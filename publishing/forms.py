"""Forms of the proposal lab: judge the AI's draft part by part, and name the memo's line for each fact.

Both can be filled from code (`fill`) and keep what was entered in the lab's folder, so a restarted kernel loses nothing.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from typing import Any

import ipywidgets as ipw

from labs.evidence import Decision, Item, receipt_id, save_evidence
from labs.session import LabSession
from labs.widgets import errors_shown
from publishing.drafting import Draft
from publishing.proposal import FILE as PROPOSAL
from publishing.proposal import PARTS, compose
from publishing.sources import FILE as FACTS
from publishing.sources import Fact, factual, save_facts

WIDE = {"width": "98%"}


class DraftReview:
    """Each part of the AI's draft beside a box to mend it in, with a reason."""

    def __init__(self, lab: LabSession, draft: Draft, brief: Mapping[str, str]) -> None:
        self.lab, self.draft, self.brief = lab, draft, brief
        known = {item.id: item for item in lab.evidence.items}
        self._text, self._thrown_away, self._reason = {}, {}, {}
        for part, ai in draft.parts.items():
            before = known[part] if part in known and known[part].ai == ai else None
            rows = 2 + ai.count("\n") + len(ai) // 60
            height = f"{max(3, rows) * 1.6}em"
            self._text[part] = ipw.Textarea(value=before.final if before else ai, layout={**WIDE, "height": height})
            self._thrown_away[part] = ipw.Checkbox(
                value=before is not None and before.decision == "rejected",
                description=lab.text("AI 글을 버리고 새로 썼습니다", "I threw the AI's text away and wrote my own"),
                indent=False,
            )
            self._reason[part] = ipw.Text(
                value=before.reason if before else "",
                layout=WIDE,
                placeholder=lab.text("바꾸었다면 이유와 메모의 줄 번호", "If you changed it: why, and the memo's line"),
            )
        self._status = ipw.HTML()

    def fill(self, answers: Mapping[str, tuple[str, str]], thrown_away: tuple[str, ...] = ()) -> None:
        """Put text and reason in, by part; KeyError for an unknown part."""
        for part, (text, reason) in answers.items():
            self._text[part].value, self._reason[part].value = text, reason
            self._thrown_away[part].value = part in thrown_away

    @property
    def final(self) -> dict[str, str]:
        """The text of each part as it stands in the form."""
        return {part: str(box.value) for part, box in self._text.items()}

    def save(self) -> None:
        """Write the evidence: unchanged text is accepted, whatever else was ticked."""
        save_evidence(self.lab.folder, [self._item(part, ai) for part, ai in self.draft.parts.items()])
        self._status.value = html.escape(self.lab.text("저장했습니다.", "Saved."))

    def _item(self, part: str, ai: str) -> Item:
        final = str(self._text[part].value)
        decision: Decision = "accepted"
        if final.strip() != ai.strip():
            decision = "rejected" if self._thrown_away[part].value else "edited"
        reason = str(self._reason[part].value)[:2_000]
        return Item(
            id=part,
            ai=ai,
            final=final[:20_000],
            decision=decision,
            reason=reason,
            model=self.draft.model[:200],
            receipt=receipt_id(self.draft.receipt),
        )

    def _save_or_say(self, _button: ipw.Button) -> None:
        with errors_shown(self.lab, self._status):
            self.save()

    def _ipython_display_(self) -> None:
        button = ipw.Button(description=self.lab.text("검토 저장", "Save my review"), button_style="primary")
        button.on_click(self._save_or_say)
        memo = "".join(f"<li><b>{html.escape(key)}</b> {html.escape(text)}</li>" for key, text in self.brief.items())
        title = html.escape(self.lab.text("저자 메모 펼치기", "Open the author's memo"))
        fold = f"<details open><summary>{title}</summary><ul style='line-height:1.5'>{memo}</ul></details>"
        _display(ipw.VBox([ipw.HTML(fold), *map(self._row, self.draft.parts), ipw.HBox([button, self._status])]))

    def _row(self, part: str) -> ipw.VBox:
        ai = html.escape(self.draft.parts[part]).replace("\n", "<br>") or "–"
        head = f"<b>{html.escape(PARTS[part].in_(self.lab.lang))}</b><br><small>AI: {ai}</small>"
        rows = [ipw.HTML(head), self._text[part], self._reason[part], self._thrown_away[part]]
        return ipw.VBox(rows, layout={"border_bottom": "1px solid #ddd", "padding": "6px 0"})


def write_proposal(lab: LabSession, title: str, parts: Mapping[str, str]) -> str:
    """Write proposal.md from the title and the reviewed parts, and give its text; an empty part is left out."""
    filled = {part: text for part, text in {"title": title, **parts}.items() if text.strip()}
    text = compose(filled, lab.lang)
    (lab.folder / PROPOSAL).write_text(text, "utf-8")
    return text


class FactForm:
    """Each factual sentence of the proposal with a list of the memo's lines to choose its source from."""

    def __init__(self, lab: LabSession, proposal: str, brief: Mapping[str, str]) -> None:
        self.lab, self.brief = lab, dict(brief)
        self.sentences = list(dict.fromkeys(sentence[:500] for _line, sentence in factual(proposal)))
        before = _saved_lines(lab)
        empty = lab.text("메모의 줄을 고르세요", "Choose a line of the memo")
        options = [(empty, ""), *((f"{key} {text[:70]}", key) for key, text in self.brief.items())]
        self._line = {
            sentence: ipw.Dropdown(
                options=options, value=was if (was := before.get(sentence, "")) in self.brief else "", layout=WIDE
            )
            for sentence in self.sentences
        }
        self._status = ipw.HTML()

    def fill(self, lines: list[str]) -> None:
        """Choose the memo's lines in the sentences' order; ValueError where their number differs."""
        for sentence, line in zip(self.sentences, lines, strict=True):
            self._line[sentence].value = line

    def save(self) -> None:
        """Write facts.json: the sentences that have a line, each with that line's words."""
        chosen = [(sentence, str(box.value)) for sentence, box in self._line.items() if box.value]
        save_facts(self.lab.folder, [Fact(claim=said, line=line, quote=self.brief[line]) for said, line in chosen])
        self._status.value = html.escape(self.lab.text(f"{len(chosen)}개를 저장했습니다.", f"{len(chosen)} saved."))

    def _save_or_say(self, _button: ipw.Button) -> None:
        with errors_shown(self.lab, self._status):
            self.save()

    def _ipython_display_(self) -> None:
        button = ipw.Button(description=self.lab.text("사실표 저장", "Save the table"), button_style="primary")
        button.on_click(self._save_or_say)
        rows = [
            ipw.VBox(
                [ipw.HTML(f"{number}. {html.escape(sentence)}"), self._line[sentence]], layout={"padding": "4px 0"}
            )
            for number, sentence in enumerate(self.sentences, 1)
        ]
        _display(ipw.VBox([*rows, ipw.HBox([button, self._status])]))


def _saved_lines(lab: LabSession) -> dict[str, str]:
    """Read the lines chosen before; a table that cannot be read is as good as none."""
    try:
        data = json.loads((lab.folder / FACTS).read_text("utf-8"))
        return {str(fact["claim"]): str(fact["line"]) for fact in data["facts"]}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}


def _display(widget: Any) -> None:
    from IPython.display import display

    display(widget)
