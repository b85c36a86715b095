"""What the lab's notebook calls: small steps that hide loops and files, never a decision.

The rule this module keeps: everything it saves is in the lab's folder, and nothing is saved that the learner did not choose.
"""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labs.session import Html, LabSession
from labs.widgets import Question, TextForm
from video_content.captions import Cue, timecode, write
from video_content.cuts import CutList, from_labels, tighten
from video_content.disclosure import PARTS, write_disclosure
from video_content.labelling import Label, batches, messages, read_labels, response_format
from video_content.media import read_sound
from video_content.reference import MAX_CHARACTERS, SOURCE, TRANSCRIPT
from video_content.render import make_captions, render_cut

Line = dict[str, Any]
NUMBERED = re.compile(r"^\s*(L\d+)\s*:\s*(.+?)\s*$", re.M)


@dataclass
class Answers:
    """The AI's labels by line, what they took, and each line's receipt."""

    labels: dict[str, Label] = field(default_factory=dict)
    model: str = ""
    tokens: int = 0
    seconds: float = 0.0
    receipts: dict[str, str] = field(default_factory=dict)


def read_lines(lab: LabSession) -> list[Line]:
    """Read the transcript's lines."""
    lines: list[Line] = json.loads((lab.folder / TRANSCRIPT).read_text("utf-8"))["lines"]
    return lines


def show_clip(file: str) -> Any:
    """Show a clip of the folder, to play in the notebook."""
    from IPython.display import Video

    return Video(file, width=640)  # type: ignore[no-untyped-call, unused-ignore]


def show_lines(lab: LabSession, lines: Sequence[Line]) -> Html:
    """List the transcript with the times of each line."""
    return _table(
        [lab.text("줄", "Line"), lab.text("시각", "Time"), lab.text("대본", "Transcript")],
        [[line["id"], timecode(line["start"])[3:-2], line["text"]] for line in lines],
    )


def ask_labels(client: Any, prompt: str, lines: Sequence[Line], model: str = "lab-default") -> Answers:
    """Ask the AI to label lines keep, cut or unsure, a few at a time."""
    answers = Answers()
    begun = time.monotonic()
    for batch in batches(lines):
        reply = client.chat.completions.create(
            model=model,
            messages=messages(prompt, batch),
            response_format=response_format(batch),
            temperature=0,
            seed=1,
            max_tokens=600,
        )
        answers.labels |= read_labels(reply.choices[0].message.content, batch)
        answers.receipts |= {line["id"]: reply.id for line in batch}
        answers.model, answers.tokens = reply.model, answers.tokens + (reply.usage.total_tokens if reply.usage else 0)
    answers.seconds = time.monotonic() - begun
    return answers


def show_answers(lab: LabSession, lines: Sequence[Line], answers: Answers) -> Html:
    """List what the AI said of each line, and what it took."""
    names = choices(lab)
    rows = [
        [line["id"], line["text"], names[(said := answers.labels[line["id"]]).label], said.reason] for line in lines
    ]
    table = _table([lab.text("줄", "Line"), lab.text("대본", "Transcript"), "AI", lab.text("이유", "Reason")], rows)
    cost = show_cost(lab, answers)
    return Html(table.markup + cost.markup, f"{table.plain}\n{cost.plain}")


def show_cost(lab: LabSession, answers: Answers) -> Html:
    """Say how long the AI took and how much it read and wrote."""
    said = lab.text(
        f"{len(answers.labels)}줄, {answers.seconds:.0f}초, {answers.tokens:,}토큰",
        f"{len(answers.labels)} lines, {answers.seconds:.0f} s, {answers.tokens:,} tokens",
    )
    return Html(f"<p>{html.escape(said)}</p>", said)


def choices(lab: LabSession) -> dict[str, str]:
    """Name the labels in the lab's language."""
    return {"keep": lab.text("남김", "Keep"), "cut": lab.text("뺌", "Cut"), "unsure": lab.text("보류", "Unsure")}


def questions(lines: Sequence[Line], answers: Answers) -> list[Question]:
    """Make a row of the review form for each line."""
    labels = [answers.labels.get(line["id"], Label("unsure", "")) for line in lines]
    return [
        Question(
            line["id"],
            f"[{timecode(line['start'])[3:-4]}] {line['text']}",
            label.label,
            label.reason,
            answers.receipts.get(line["id"], ""),
        )
        for line, label in zip(lines, labels, strict=True)
    ]


def make_cut(lab: LabSession, lines: Sequence[Line], labels: Mapping[str, str], *, longest_seconds: float) -> CutList:
    """Render final.mp4 of the kept lines and save cutlist.json."""
    source = lab.folder / SOURCE
    cutlist = tighten(from_labels(lines, labels, SOURCE), read_sound(source), longest_seconds)
    render_cut(source, cutlist, lab.folder / "final.mp4")
    cutlist.save(lab.folder)
    return cutlist


def caption_start(lines: Sequence[Line], labels: Mapping[str, str]) -> str:
    """Give the transcript of the kept lines, each with its number, to be mended."""
    return "\n".join(f"{line['id']}: {line['text']}" for line in lines if labels.get(line["id"]) == "keep")


def save_captions(lab: LabSession, cutlist: CutList, lines: Sequence[Line], words: str) -> Html:
    """Write the captions file from the mended words, and list it."""
    cues: list[Cue] = make_captions(
        cutlist, lines, dict(NUMBERED.findall(words)), max_characters=MAX_CHARACTERS[lab.lang]
    )
    (lab.folder / f"captions.{lab.lang}.srt").write_text(write(cues), "utf-8")
    return _table(
        [lab.text("시작", "From"), lab.text("끝", "To"), lab.text("자막", "Caption")],
        [[timecode(cue.start), timecode(cue.end), " / ".join(cue.lines)] for cue in cues],
    )


def disclosure_forms(lab: LabSession) -> dict[str, TextForm]:
    """Make a box for each part of the disclosure."""
    return {part.id: TextForm(lab, f"disclosure-{part.id}", part.title.in_(lab.lang), rows=2) for part in PARTS}


def save_disclosure(lab: LabSession, forms: Mapping[str, TextForm]) -> None:
    """Write ai_disclosure.md from the boxes."""
    answers = {part: form.value for part, form in forms.items()}
    write_disclosure(lab.folder, answers, lab.lang, calls=lab.evidence.calls_line(lab.lang))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    cells = "".join(f"<th style='text-align:left'>{html.escape(name)}</th>" for name in head)
    body = "".join(
        "<tr>" + "".join(f"<td style='text-align:left'>{html.escape(cell)}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return Html(
        f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>",
        "\n".join(" | ".join(row) for row in rows),
    )
