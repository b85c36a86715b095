"""A gradebook as nbgrader makes one: a task, an answer and a machine's test in one notebook, graded but for the persons'."""

from __future__ import annotations

from pathlib import Path

from nbgrader.api import Base, Gradebook
from sqlalchemy import create_engine

TASK, ANSWER, MACHINE = "editor-wants-it", "in-your-words", "machine"


def make_gradebook(
    root: Path, lab: str, learners: list[str], task: str = TASK, points: float = 20, machine: str = MACHINE
) -> None:
    """Write gradebook.db into a course's folder."""
    root.mkdir(parents=True, exist_ok=True)
    url = f"sqlite:///{root / 'gradebook.db'}"
    # With tables there, nbgrader does not start alembic to ask for a version.
    engine = create_engine(url)
    Base.metadata.create_all(engine)
    engine.dispose()
    with Gradebook(url) as book:
        book.add_assignment(lab)
        book.add_notebook(lab, lab)
        book.add_grade_cell(machine, lab, lab, max_score=60, cell_type="code")
        book.add_task_cell(task, lab, lab, max_score=points, cell_type="markdown")
        book.add_grade_cell(ANSWER, lab, lab, max_score=5, cell_type="markdown")
        book.add_solution_cell(ANSWER, lab, lab)
        for cell in (machine, task, ANSWER):
            book.add_source_cell(cell, lab, lab, cell_type="markdown")
        for learner in learners:
            book.add_student(learner)
            book.add_submission(lab, learner)
            for grade in book.find_submission(lab, learner).notebooks[0].grades:
                by_machine = grade.name == machine
                grade.auto_score = 50 if by_machine else None
                grade.needs_manual_grade = not by_machine
        book.db.commit()
