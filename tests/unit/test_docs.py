"""The documents keep up with the product: what is there is documented, and what is documented is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_args

import click
import pytest
import yaml
from click.testing import CliRunner
from pydantic import BaseModel

from grader.rules import ExcuseKind, Rules, SelfPayBand
from hub_config.cli import main
from hub_config.seed import accounts
from hub_config.settings import Settings
from labs.checks import CheckResult, Finding
from labs.manifest import Lab
from labs.texts import LANGUAGES

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
IMAGES = ROOT / "docs" / "images"
#: The walks in a browser whose pictures the documents show.
WALKS = [ROOT / "tests" / "browser" / name for name in ("test_whole_way.py", "test_new_run.py")]
#: Folders of one machine: an example that names one works nowhere else.
MACHINE = re.compile(r"(?<![\w.:/<>*-])(?:/(?:work|root|opt|home|Users|mnt|tmp|var|usr/local)(?:/|\b)|[A-Z]:\\)")


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def rows(text: str) -> set[str]:
    """The names that stand in back quotes in the first column of the tables."""
    first = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {name for cell in first for name in re.findall(r"`([^`]+)`", cell)}


def prose(text: str) -> str:
    """A document without its code blocks."""
    return re.sub(r"^(`{3,}|~{3,}).*?^\1[ \t]*$", "", text, flags=re.DOTALL | re.MULTILINE)


def model_fields(model: type[BaseModel]) -> Iterator[tuple[type[BaseModel], str]]:
    """Every field of a model and of the models in it, by the names that stand in YAML."""
    for name, field in model.model_fields.items():
        yield model, field.alias or name
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel) and kind.__module__ == Lab.__module__:
                yield from model_fields(kind)


def commands(group: click.Group, path: str = "practicum") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


@cache
def image_names() -> frozenset[str]:
    """The pictures that the walks in the browser make."""
    source = "\n".join(walk.read_text("utf-8") for walk in WALKS)
    shots = re.findall(r"\.shot\(\"([\w-]+)\"", source)
    return frozenset(f"{lang}-{shot}.png" for lang in LANGUAGES for shot in shots)


def links(path: Path) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", prose(path.read_text("utf-8")))


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", prose(path.read_text("utf-8")), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_every_setting_is_documented_with_its_default_and_no_other() -> None:
    text = read("docs/reference/settings.md")
    table = text.partition("| Setting |")[2].partition("\n\n")[0]
    assert rows(table) == set(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, str | int | Path):
            assert f"| `{name}` | `{field.default}` |" in table, name


def test_every_example_of_settings_is_taken_and_every_structured_setting_has_one() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", read("docs/reference/settings.md"), flags=re.DOTALL)
    examples = [yaml.safe_load(block) for block in blocks]
    for example in examples:
        Settings.model_validate(example)
    structured = {name for name, field in Settings.model_fields.items() if isinstance(field.default, dict | BaseModel)}
    assert structured <= {name for example in examples for name in example}


def test_every_environment_variable_is_documented() -> None:
    sources = [
        p.read_text("utf-8") for p in (ROOT / "hub_config").rglob("*.py") if p.name in ("settings.py", "assets.py")
    ]
    read_there = set(re.findall(r"\bPRACTICUM_[A-Z_]+", "\n".join(sources)))
    assert read_there == set(re.findall(r"\| `(PRACTICUM_[A-Z_]+)` \|", read("docs/reference/settings.md")))


@pytest.mark.parametrize(("path", "command"), list(commands(main)), ids=lambda value: str(value))
def test_every_command_and_option_is_documented(path: str, command: click.Command) -> None:
    text = read("docs/reference/cli.md")
    section = text.partition(f"## {' '.join(path.split()[:2])}\n")[2].partition("\n## ")[0]
    assert re.search(rf"^{re.escape(path)}\b", section, flags=re.MULTILINE), f"{path}: no usage line"
    for parameter in command.params:
        told = parameter.opts[-1] if isinstance(parameter, click.Option) else str(parameter.name).upper()
        assert told in section, f"{path} {told}"


def test_every_documented_command_is_there() -> None:
    known = {path for path, _ in commands(main)}
    for document in DOCUMENTS:
        for said in re.findall(
            r"practicum ((?:journal|model|ai|backup) [\w-]+|import (?:roster|timetable|attendance)|up|grade|feedback|release|similar|doctor|settings)\b",
            document.read_text("utf-8"),
        ):
            assert f"practicum {said}" in known, f"{named(document)}: practicum {said}"
    for path in known:
        assert CliRunner().invoke(main, [*path.split()[1:], "--help"]).exit_code == 0


def test_every_field_of_a_lab_is_documented_and_no_other() -> None:
    text = read("docs/reference/lab.md").partition("## lab.yaml")[2].partition("## lab.md")[0]
    # A rubric level's two texts stand in its row.
    assert rows(text) == {name for _, name in model_fields(Lab)} - set(LANGUAGES)
    for name in (*LANGUAGES, *CheckResult.model_fields, *Finding.model_fields):
        assert f"`{name}`" in read("docs/reference/lab.md"), name


def rule_settings(rules: BaseModel, path: str = "") -> Iterator[tuple[str, object]]:
    """Every setting of a programme by its path, with its default."""
    for name in type(rules).model_fields:
        value = getattr(rules, name)
        if isinstance(value, BaseModel):
            yield from rule_settings(value, f"{path}{name}.")
        else:
            yield path + name, value


def test_every_rule_of_a_programme_is_documented_with_its_default_and_no_other() -> None:
    text = read("docs/explanation/attendance.md")
    table = text.partition("| Rule |")[2].partition("\n\n")[0]
    known = dict(rule_settings(Rules()))
    assert rows(table) == set(known)
    for name, default in known.items():
        told = "above|below" if isinstance(default, tuple) else re.escape(str(default))
        assert re.search(rf"\| `{name}` \| `?(?:{told})`? \|", table), name


def test_every_excuse_and_every_band_of_self_pay_is_documented_with_its_numbers() -> None:
    text = read("docs/explanation/attendance.md")
    table = text.partition("| Kind |")[2].partition("\n\n")[0]
    assert rows(table) == {kind.id for kind in Rules().excuses}
    for kind in Rules().excuses:
        caps = [cap for cap in (kind.max_days, kind.max_percent_of_days, kind.max_days_per_unit) if cap is not None]
        assert re.search(rf"\| `{kind.id}` \| {kind.title.ko} \| {caps[0]} (?:day|%)", table), kind.id
    for band in Rules().self_pay:
        limit = "above" if band.up_to_krw is None else f"{band.up_to_krw:,}"
        share = f"{band.percent} %" if band.percent is not None else f"{band.amount_krw:,}"
        assert f"| {limit} | {share} |" in text


def test_every_setting_of_a_programme_says_what_it_is() -> None:
    def nameless(model: type[BaseModel]) -> list[str]:
        kinds = [(name, field.annotation, field.description) for name, field in model.model_fields.items()]
        inner = [kind for _, kind, _ in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        return [name for name, _, told in kinds if not told] + [
            name for kind in inner if kind.__module__ == Rules.__module__ for name in nameless(kind)
        ]

    assert [*nameless(Rules), *nameless(ExcuseKind), *nameless(SelfPayBand)] == []


def test_every_makefile_target_is_documented_and_no_other() -> None:
    makefile = read("Makefile")
    targets = set(makefile.partition(".PHONY:")[2].partition("\n")[0].split())
    told = set(re.findall(r"^\| `make ([\w-]+)` \|", read("CONTRIBUTING.md"), flags=re.MULTILINE))
    assert told == targets
    options = set(re.findall(r"\$\(if \$\((\w+)\),--", makefile))
    for name in ("README.md", "README.ko.md"):
        assert options == {option for option in options if f"`make up {option}=" in read(name)}, name


def test_both_readmes_name_every_account() -> None:
    for name in ("README.md", "README.ko.md"):
        for login, person in accounts().items():
            assert f"`{login}`" in read(name), f"{name}: {login}"
            assert person in read(name), f"{name}: {person}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_links_lead_somewhere(document: Path) -> None:
    for link in links(document):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        name, _, anchor = link.partition("#")
        target = (document.parent / name).resolve() if name else document
        if target.parent == IMAGES:
            assert target.name in image_names(), f"{link}: no walk makes this picture"
            continue
        assert target.is_relative_to(ROOT), f"{link} leads out of the repository"
        assert target.exists(), f"{link} is not there"
        assert not anchor or anchor in anchors(target), f"{link}: no such heading"


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_no_document_names_a_folder_of_one_machine(document: Path) -> None:
    found = [line for line in document.read_text("utf-8").splitlines() if MACHINE.search(line)]
    assert found == []


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        ("see /mnt/disk/x", True),
        ("in /tmp", True),
        (r"C:\data", True),
        ("/home/somebody/x", True),
        ("`./var`", False),
        ("https://example.com/home/x", False),
        ("tests/work/x and labs/home", False),
        ("/services/portal/api/v1", False),
        ("hub/work", False),
    ],
)
def test_a_machine_path_is_told_from_others(line: str, is_one: bool) -> None:
    assert bool(MACHINE.search(line)) is is_one


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_files_named_in_documents_are_there(document: Path) -> None:
    """A module or a test that a document names with its folder stands there."""
    tops = "labs|grader|hub_config|tests|video_content|uiux_design|publishing"
    text = prose(document.read_text("utf-8"))
    for said in re.findall(rf"`((?:{tops})/[\w./-]+\.(?:py|yaml|po))(?::[\w.]+)?`", text):
        assert (ROOT / said).is_file(), said
    for said, name in re.findall(rf"`((?:{tops})/[\w./-]+\.py):([\w.]+)`", text):
        last = name.rpartition(".")[2]
        assert re.search(rf"(?:def|class) {last}\b", read(said)), f"{said}:{name}"


def test_the_korean_and_english_documents_are_pairs() -> None:
    pairs = {re.sub(r"\.(ko|en)\.md$", "", named(path)) for path in (ROOT / "docs").rglob("*.??.md")}
    assert pairs >= {"docs/learner", "docs/tutorial/write-a-lab", "docs/reference/pages"}
    for stem in sorted(pairs):
        ko, en = (read(f"{stem}.{lang}.md") for lang in ("ko", "en"))
        assert len(re.findall(r"^## ", ko, flags=re.MULTILINE)) == len(re.findall(r"^## ", en, flags=re.MULTILINE)), (
            stem
        )
    heads = [len(re.findall(r"^## ", read(name), flags=re.MULTILINE)) for name in ("README.md", "README.ko.md")]
    assert heads[0] == heads[1]
