"""The form in which a learner judges and mends an AI's draft of a page, element by element.

The rule this module keeps: everything the form can do can be done from code (`accept`, `change`, `reject`, `add`, `save`), and
what was saved comes back when the notebook is opened again.
"""

from __future__ import annotations

import html
import io
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import ipywidgets as ipw
from PIL import Image
from pydantic import ValidationError

from labs.evidence import save_evidence, write_text_safely
from labs.session import LabSession
from labs.texts import Text
from labs.widgets import errors_shown
from uiux_design.draft import page_height
from uiux_design.draw import draw
from uiux_design.layout import stack
from uiux_design.review import REJECTED, STEP, Verdict, evidence_items, revise
from uiux_design.wireframe import FILE, PICTURE, ROLE_TEXTS, ROLES, Element, Wireframe, to_json

LABELS = {
    "text": Text(ko="문구", en="Text"),
    "role": Text(ko="역할", en="Role"),
    "x": Text(ko="x", en="x"),
    "y": Text(ko="y", en="y"),
    "width": Text(ko="너비", en="Width"),
    "height": Text(ko="높이", en="Height"),
    "size": Text(ko="글자 px", en="Text px"),
    "color": Text(ko="글자색", en="Colour"),
    "background": Text(ko="배경색", en="Ground"),
}
NUMBERS = ("x", "y", "width", "height", "size")
NEW = {"x": 16, "y": 0, "width": 358, "height": 48, "size": 16, "color": "#23302A", "role": "body", "text": ""}
AUTO = "automatic-layout"
UNREADABLE = Text(ko="읽을 수 없는 값", en="a value that cannot be read")


class ElementRow:
    """The fields of one element, a decision and a reason."""

    def __init__(self, lang: str, element: Element, order: int, *, proposed: bool) -> None:
        self.start, self.proposed = element, proposed
        choices = {"accept": ("그대로", "Accept"), "change": ("수정", "Change"), "reject": ("거절", "Reject")}
        if not proposed:
            choices = {"change": ("추가", "Add"), "reject": ("빼기", "Leave out")}
        options = [(labels[lang == "en"], value) for value, labels in choices.items()]
        # Nothing is chosen for the learner: a proposal counts as judged when a person has judged it.
        self.decision = ipw.ToggleButtons(options=options, value=None if proposed else "change")
        self.decision.style.button_width = "5.5em"
        self.reason = ipw.Text(placeholder=Text(ko="이유", en="Reason").in_(lang), layout={"width": "26em"})
        self.order = ipw.IntText(value=order, description=Text(ko="순서", en="Order").in_(lang), **_short())
        self.boxes: dict[str, Any] = {name: self._box(name, label.in_(lang), lang) for name, label in LABELS.items()}
        self.lang = lang
        rest = [self.boxes[name] for name in LABELS if name != "text"]
        self.fields = ipw.VBox(
            [self.boxes["text"], ipw.HBox([*rest, self.order], layout={"flex_flow": "row wrap"})],
            layout={"display": "none" if proposed else "flex"},
        )
        self.decision.observe(self._unfold, names="value")

    def _unfold(self, change: dict[str, Any]) -> None:
        self.fields.layout.display = "flex" if change["new"] == "change" else "none"

    def _box(self, name: str, label: str, lang: str) -> Any:
        value = getattr(self.start, name)
        if name == "role":
            options = [(ROLE_TEXTS[role].in_(lang), role) for role in ROLES]
            return ipw.Dropdown(options=options, value=value, description=label, **_short())
        if name in NUMBERS:
            return ipw.IntText(value=value, description=label, **_short())
        if name == "text":
            return ipw.Textarea(value=value, description=label, layout={"width": "38em", "height": "3.4em"})
        return ipw.Text(value=value or "", description=label, placeholder="#RRGGBB", **_short("11em"))

    def put(self, decision: str, reason: str = "", order: int | None = None, **fields: Any) -> None:
        """Fill the row from code; KeyError for an unknown field."""
        for name, value in fields.items():
            self.boxes[name].value = "" if value is None else value
        self.order.value = self.order.value if order is None else order
        self.decision.value, self.reason.value = decision, reason

    @property
    def values(self) -> dict[str, Any]:
        """What stands in the fields; an empty ground is none."""
        return {name: box.value if name != "background" else box.value or None for name, box in self.boxes.items()}

    @property
    def verdict(self) -> Verdict:
        """What the row says of a proposal."""
        changed = {name: value for name, value in self.values.items() if value != getattr(self.start, name)}
        return Verdict(
            changes=changed if self.decision.value == "change" else {},
            rejected=self.decision.value == "reject",
            reason=self.reason.value,
            order=self.order.value,
        )

    def widget(self, number: int) -> ipw.VBox:
        """Give the row as it is shown."""
        element, lang = self.start, self.lang
        box = f"x {element.x}, y {element.y}, {element.width}×{element.height}px, {element.size}px"
        ground = f" / {element.background}" if element.background else ""
        said = (
            f"<div style='line-height:1.6'><b>{number}. {html.escape(element.id)}</b> · {ROLE_TEXTS[element.role].in_(lang)}<br>"
            f"{_swatch(element.color)}“{html.escape(element.text)}” <small>{box}, {element.color}{ground}</small></div>"
        )
        line = {"border_bottom": "1px solid #ddd", "padding": "6px 0"}
        return ipw.VBox([ipw.HTML(said), ipw.HBox([self.decision, self.reason]), self.fields], layout=line)


class ElementsForm:
    """All proposals of a draft, with a picture of the page as it stands."""

    def __init__(
        self, lab: LabSession, draft: Wireframe, *, model: str = "", receipts: Mapping[str, str] | None = None
    ) -> None:
        self.lab, self.draft, self.model, self.receipts = lab, draft, model, receipts or {}
        self.auto = ipw.Checkbox(
            value=lab.answers.get(AUTO) == "True",
            indent=False,
            description=lab.text(
                "자동 배치: 순서대로 위에서 아래로 쌓기", "Automatic layout: stack in order, top to bottom"
            ),
        )
        self.rows = {
            element.id: ElementRow(lab.lang, element, number * STEP, proposed=True)
            for number, element in enumerate(draft.elements, 1)
        }
        self._list, self._status, self._picture = ipw.VBox(), ipw.HTML(), ipw.Image(format="png", width=292)
        self._restore()

    def accept(self, element_id: str) -> None:
        """Take a proposal as it is."""
        self.rows[element_id].put("accept")

    def change(self, element_id: str, reason: str, **fields: Any) -> None:
        """Change fields of a proposal, and say why."""
        self.rows[element_id].put("change", reason, **fields)

    def reject(self, element_id: str, reason: str) -> None:
        """Drop a proposal, and say why."""
        self.rows[element_id].put("reject", reason)

    def add(self, element_id: str, section: str, **fields: Any) -> None:
        """Put an element of one's own in; `order` says where it is read."""
        order = fields.pop("order", (len(self.rows) + 1) * STEP)
        element = Element.model_validate({**NEW, "id": element_id, "section": section, **fields})
        self.rows[element_id] = ElementRow(self.lab.lang, element, order, proposed=False)
        self._refresh()

    @property
    def wireframe(self) -> Wireframe:
        """The page as the form says; ValidationError where a field cannot be read."""
        added = [
            (row.order.value, Element.model_validate({**row.start.model_dump(), **row.values}))
            for row in self.rows.values()
            if not row.proposed and row.decision.value == "change"
        ]
        return revise(self.draft, self._verdicts(), added)

    def _verdicts(self) -> dict[str, Verdict]:
        return {key: row.verdict for key, row in self.rows.items() if row.proposed and row.decision.value is not None}

    def save(self) -> Wireframe:
        """Write wireframe.json and the evidence; with automatic layout, the elements stand one under another."""
        page = self.wireframe
        page = stack(page) if self.auto.value else page.model_copy(update={"height": page_height(page.elements)})
        write_text_safely(self.lab.folder / FILE, to_json(page))
        save_evidence(self.lab.folder, evidence_items(self.draft, self._verdicts(), self.model, self.receipts))
        self.lab.answer(AUTO, str(self.auto.value))
        self._show(page)
        return page

    def _show(self, page: Wireframe) -> None:
        self._draw(page)
        judged, all_ = len(self._verdicts()), len(self.draft.elements)
        said = self.lab.text(f"저장했습니다. AI 제안 {all_}개 가운데 {judged}개를 검토했습니다.", f"Saved. {judged} of {all_} proposals judged.")  # fmt: skip
        self._status.value = html.escape(said)

    def _draw(self, page: Wireframe) -> None:
        buffer = io.BytesIO()
        draw(page).save(buffer, "PNG")
        self._picture.value = buffer.getvalue()

    def _restore(self) -> None:
        """Bring back what was saved: judgements from the evidence, added elements and places from wireframe.json."""
        path, page = self.lab.folder / FILE, self.draft
        if path.is_file():
            with suppress(ValidationError, UnicodeDecodeError):
                page = Wireframe.model_validate_json(path.read_text("utf-8"))
            for number, element in enumerate(page.elements, 1):
                if element.id not in self.rows:
                    self.add(element.id, order=number * STEP, **element.model_dump(exclude={"id"}))
                else:
                    self.rows[element.id].order.value = number * STEP
        for item in self.lab.evidence.items:
            row = self.rows.get(item.id)
            if row and row.proposed:
                self._restore_row(row, item.final, item.decision, item.reason)
        self._refresh()
        self._draw(page)

    @staticmethod
    def _restore_row(row: ElementRow, final: str, decision: str, reason: str) -> None:
        if final == REJECTED:
            row.put("reject", reason)
        elif decision == "accepted":
            row.put("accept", reason)
        else:
            fields = json.loads(final)
            row.put("change", reason, **{name: fields.get(name) for name in LABELS})

    def _refresh(self) -> None:
        self._list.children = [row.widget(number) for number, row in enumerate(self.rows.values(), 1)]

    def draw(self, file: str = PICTURE) -> Image.Image | None:
        """Save the form and draw the page to a PNG in the lab's folder; None where a field cannot be read, which is said."""
        page = self._save_or_say()
        if page is None:
            return None
        image = draw(page)
        image.save(self.lab.folder / file)
        return image

    def _pressed_save(self, _button: ipw.Button) -> None:
        with errors_shown(self.lab, self._status):
            self._save_or_say()

    def _save_or_say(self) -> Wireframe | None:
        try:
            return self.save()
        except ValidationError as error:
            place = " · ".join(str(part) for part in error.errors()[0]["loc"])
            said = f"{UNREADABLE.in_(self.lab.lang)}: {place} ({str(error.errors()[0].get('input'))[:60]})"
            self._status.value = f"<b style='color:#b00020'>{html.escape(said)}</b>"
            print(said)
            return None

    def _add_empty(self, section: str) -> None:
        number = 1 + sum(not row.proposed for row in self.rows.values())
        self.add(f"own-{number}", section)

    def _ipython_display_(self) -> None:
        from IPython.display import display

        text = self.lab.text
        section = ipw.Dropdown(options=[s.id for s in self.draft.sections], layout={"width": "8em"})
        add = ipw.Button(description=text("요소 추가", "Add an element"))
        saving = ipw.Button(description=text("저장", "Save"), button_style="primary")
        add.on_click(lambda _button: self._add_empty(section.value))
        saving.on_click(self._pressed_save)
        left = ipw.VBox([self._list, self.auto, ipw.HBox([section, add, saving]), self._status])
        display(ipw.HBox([left, self._picture], layout={"align_items": "flex-start"}))  # type: ignore[no-untyped-call, unused-ignore]


def _short(width: str = "9.5em") -> dict[str, Any]:
    return {"layout": {"width": width}, "style": {"description_width": "4em"}}


def _swatch(colour: str) -> str:
    return f"<span style='display:inline-block;width:.8em;height:.8em;margin-right:.4em;background:{colour};border:1px solid #999'></span>"
