"""Every page and every role is in the reference and has its guide, in both languages; pictures are those of the walks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image
from portal_routes import GETS, ROLES, Line
from test_docs import DOCUMENTS, IMAGES, ROOT, image_names, links, read

from grader.roles import Caller
from labs.texts import LANGUAGES

MOST_KB = 80
#: What each of the Hub's groups of people makes of somebody: the rule of `grader.roles.Caller`, the words of the reference,
#: and the name of the guide.
PEOPLE = {
    "nbgrader": ("learner", {"en": "learner", "ko": "훈련생"}, "learner"),
    "formgrade": ("instructor", {"en": "instructor", "ko": "강사"}, "instructor"),
    "institution": ("office", {"en": "office", "ko": "기관 담당자"}, "institution"),
    "programme": ("programme", {"en": "programme", "ko": "사업 담당자"}, "programme"),
    "operator": ("operator", {"en": "operator", "ko": "시스템 관리자"}, "operator"),
}
EVERYBODY = {"en": "everybody", "ko": "누구나"}
#: What services and servers are, and a sum of two roles of people.
NO_ROLE_OF_ITS_OWN = {"author", "formgrader", "gateway", "grader"}
PAGES = {path: line for path, line in GETS.items() if line.page}


def who_may(line: Line, lang: str) -> str:
    """The roles of a page in words; whoever is two things adds none."""
    if None in line.who:
        return EVERYBODY[lang]
    groups = {group.partition("-")[0] for role in line.who - {"both"} for group in ROLES[role].groups}
    return ", ".join(words[lang] for group, (_, words, _) in PEOPLE.items() if group in groups)


def table(lang: str) -> list[tuple[str, str, str]]:
    """Address, who and what for of each row of the reference."""
    found = re.findall(
        r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \|$", read(f"docs/reference/pages.{lang}.md"), re.MULTILINE
    )
    return [(address, who, told.strip()) for address, who, told in found]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_page_is_documented_and_no_other_once_with_who_may_open_it(lang: str) -> None:
    rows = table(lang)
    missing = PAGES.keys() - {address for address, _, _ in rows}
    assert not missing, f"add to docs/reference/pages.{lang}.md: {sorted(missing)}"
    assert sorted(address for address, _, _ in rows) == sorted(PAGES)
    for address, who, told in rows:
        assert who == who_may(PAGES[address], lang), address
        assert len(told) >= 5, address


def test_both_languages_name_the_pages_in_the_same_order() -> None:
    assert [row[0] for row in table("ko")] == [row[0] for row in table("en")]


def test_the_words_of_a_pages_roles_come_from_who_may_open_it() -> None:
    line = Line(frozenset({"ministry", "operator", "both"}))
    assert who_may(line, "en") == "programme, operator"
    assert who_may(line, "ko") == "사업 담당자, 시스템 관리자"


def test_every_role_of_a_person_has_its_words_and_its_guide_in_both_languages() -> None:
    rules = {name.removeprefix("is_") for name in vars(Caller) if name.startswith("is_")} - NO_ROLE_OF_ITS_OWN
    assert {rule for rule, _, _ in PEOPLE.values()} == rules
    assert {group.partition("-")[0] for caller in ROLES.values() for group in caller.groups} == PEOPLE.keys()
    for lang in LANGUAGES:
        reference = links(ROOT / "docs" / "reference" / f"pages.{lang}.md")
        for _, _, guide in PEOPLE.values():
            assert (ROOT / "docs" / f"{guide}.{lang}.md").is_file(), guide
            assert f"../{guide}.{lang}.md" in reference, guide


def test_the_list_of_documents_names_every_one() -> None:
    folder = ROOT / "docs"
    named = {(folder / link).resolve() for link in links(folder / "README.md")}
    assert named == set(folder.rglob("*.md")) - {folder / "README.md"}


def shown(document: Path) -> set[str]:
    """The pictures that a document shows."""
    return {Path(link).name for link in links(document) if (document.parent / link).resolve().parent == IMAGES}


def test_every_picture_is_made_by_a_walk_shown_in_a_document_of_its_language_and_small() -> None:
    stored = {path.name for path in IMAGES.iterdir()}
    assert stored == image_names(), "run make tour"
    assert stored == set().union(*map(shown, DOCUMENTS)), "a picture that no document shows"
    for name in stored:
        assert (IMAGES / name).stat().st_size < MOST_KB * 1000, name
        with Image.open(IMAGES / name) as picture:
            assert picture.format == "PNG"
            assert min(picture.size) >= 200, name
    for document in DOCUMENTS:
        lang = "ko" if document.name.endswith(".ko.md") else "en"
        assert all(name.startswith(f"{lang}-") for name in shown(document)), document.name
