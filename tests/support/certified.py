"""A course whose decisions are frozen, and the certificate that comes of it."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from test_portal_people import OVER, finished
from test_portal_world import COURSE, World

from grader.records import certificates, decisions
from grader.records.certificates import Certificate
from grader.records.db import reading, writing
from grader.records.state import find_course

PLACE = f"office/hanbit/{COURSE}/certificates"


@pytest.fixture
def decided(world: World) -> World:
    """Mina has completed, the others have not; all is frozen."""
    finished(world)
    world.now = OVER
    freeze(world)
    return world


@pytest.fixture
def certified(decided: World) -> World:
    """Mina holds a certificate."""
    assert decided.post(decided.browser("office"), PLACE, "office").status_code == 303
    return decided


def freeze(world: World) -> None:
    with writing(world.engine) as session:
        decisions.freeze(session, find_course(session, COURSE), actor="office", now=world.now)


def reopen(world: World) -> None:
    with writing(world.engine) as session:
        run = find_course(session, COURSE)
        decisions.reopen(session, run, "mina", reason="재확인", actor="office", now=world.now)


def held(world: World) -> Certificate:
    with reading(world.engine) as session:
        return certificates.of_course(session, COURSE, "mina")[-1]


def address(world: World) -> str:
    """The path at which mina's certificate is verified."""
    return urlsplit(world.site.press.facts(held(world).sha256("facts")).verify_url).path


def seen(world: World, lang: str = "en") -> str:
    """What somebody without a login sees there."""
    return world.browser(lang=lang).get(address(world)).text


def share(world: World, *names: str) -> None:
    form = dict.fromkeys(names, "true")
    answer = world.post(world.browser("mina"), f"learn/{COURSE}/certificate/{held(world).event.id}", "mina", **form)
    assert answer.status_code == 303
