"""Judgements in the journal, and the switch for judging without names."""

from __future__ import annotations

from small_course import COURSE, MONDAY_TEN
from sqlalchemy import Engine

from grader.records import journal, reviews, work
from grader.records.blobs import FileEntry, Manifest
from grader.records.db import reading, writing
from grader.records.state import find_course, learner_state


def hand_in(engine: Engine) -> work.Receipt:
    manifest = Manifest(files=(FileEntry(path="final.mp4", size=1, sha256="0" * 64),))
    with writing(engine) as session:
        run = find_course(session, COURSE)
        work.release(session, run, "rough-cut", manifest, actor="eve", due_at=None, now=MONDAY_TEN)
        return work.submit(session, run, "rough-cut", manifest, learner="ann", now=MONDAY_TEN)


def test_a_judgement_names_its_submission_and_its_person(engine: Engine) -> None:
    first, second = hand_in(engine), hand_in(engine)
    with writing(engine) as session:
        for receipt, points in ((first, 4), (second, 9)):
            reviews.record(session, receipt, "wants", points=points, comment="글", actor="eve", now=MONDAY_TEN)
        reviews.record(session, first, "other", points=None, comment="", actor="eve", now=MONDAY_TEN)
    with reading(engine) as session:
        found = reviews.newest(session, second)
        assert found["wants"].payload == {
            "lab": "rough-cut", "submission": second.id, "criterion": "wants", "points": 9, "comment": "글",
        }  # fmt: skip
        assert (found["wants"].actor, found["wants"].subject) == ("eve", "ann")
        assert found["other"].payload["submission"] == first.id
        assert journal.verify(session) is None
        state = learner_state(session, COURSE, "ann", MONDAY_TEN)
        assert state is not None
        assert state.labs[0].step == "submitted", "a judgement alone is no grade"


def test_names_are_switched_off_for_one_lab_and_it_is_recorded(engine: Engine) -> None:
    def switch(on: bool) -> None:
        with writing(engine) as session:
            reviews.set_blind(session, COURSE, "rough-cut", on, actor="eve", now=MONDAY_TEN)

    for on in (False, True, True, False, True):
        switch(on)
    with reading(engine) as session:
        events = journal.events(session, COURSE, kind=reviews.BLIND)
        assert [(event.payload["on"], event.actor) for event in events] == [
            (True, "eve"),
            (False, "eve"),
            (True, "eve"),
        ]
        assert reviews.is_blind(session, COURSE, "rough-cut")
        assert not reviews.is_blind(session, COURSE, "book-proposal")
