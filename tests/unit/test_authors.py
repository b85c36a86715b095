"""Writing a lab: a new one from the template, and what its files alone say is missing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from grader.authors.find import labs_meant
from grader.authors.page import clean, leaks_of, render_page
from grader.authors.sandboxed import unpack
from hub_config.cli import main
from labs import catalog
from labs.catalog import LabFolder, packs, read_pack
from labs.findings import LabFinding
from labs.lint import static_findings
from labs.scaffold import with_lab

INSTALLED = [lab for pack in packs().values() for lab in pack.labs]


@pytest.fixture(autouse=True)
def only_installed() -> Iterator[None]:
    """A pack that a test worked on is gone after it."""
    yield
    catalog._at_work.clear()
    catalog.forget()


def run(*argv: str) -> tuple[int, str]:
    outcome = CliRunner().invoke(main, ["lab", *argv])
    assert outcome.exception is None or isinstance(outcome.exception, SystemExit), outcome.exception
    return outcome.exit_code, outcome.output


@pytest.fixture
def made(tmp_path: Path) -> LabFolder:
    code, said = run("new", "event-notice", "--in", str(tmp_path / "my-lessons"))
    assert code == 0, said
    return read_pack("my_lessons", tmp_path / "my-lessons" / "my_lessons").labs[0]


def wrong(lab: LabFolder) -> list[LabFinding]:
    return [finding for finding in static_findings(lab) if finding.kind == "wrong"]


def told(lab: LabFolder) -> list[str]:
    return [f"{finding.place}: {finding.said.en}" for finding in static_findings(lab)]


def change(lab: LabFolder, file: str, old: str, new: str) -> LabFolder:
    path = lab.folder / file
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    return read_pack(lab.pack, lab.folder.parents[1]).labs[0]


def test_a_new_lab_is_whole_and_says_only_what_is_still_to_write(made: LabFolder) -> None:
    assert wrong(made) == []
    left = {finding.file for finding in static_findings(made)}
    assert left == {
        "profession.yaml",
        "lab.yaml",
        "lab.md",
        "learner/brief.ko.md",
        "learner/brief.en.md",
        "reference/raw_ai/",
    }


def test_a_second_lab_joins_the_pack_and_leaves_its_manifest_as_it_was(made: LabFolder) -> None:
    manifest = made.folder.parents[1] / "profession.yaml"
    before = manifest.read_text("utf-8")
    assert run("new", "second", "--in", str(manifest.parent))[0] == 0
    assert manifest.read_text("utf-8") == before.replace("[event-notice]", "[event-notice, second]")
    assert [wrong(lab) for lab in read_pack("my_lessons", manifest.parent).labs] == [[], []]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("labs: [a]\nid: x\n", "labs: [a, b]\nid: x\n"),
        ("labs:\n  - a # the first\nid: x\n", "labs:\n  - a # the first\n  - b\nid: x\n"),
        ("labs:\n- a", "labs:\n- a\n- b\n"),
        ("labs: [\n  c,\n  a]  # all\n", "labs: [\n  c,\n  a, b]  # all\n"),
    ],
)
def test_a_lab_is_added_to_either_way_of_writing_a_list(before: str, after: str) -> None:
    assert with_lab(before, "b") == after


@pytest.mark.parametrize(
    "slug", ["../evil", "a/b", "/etc/x", "..", "Event", "한글", "a--b", "-x", "1x", "x" * 61, "a\nb", "", "a.b", "a_b"]
)
def test_a_slug_that_is_none_is_refused_and_nothing_is_made(slug: str, tmp_path: Path) -> None:
    code, said = run("new", "--in", str(tmp_path / "pack"), "--", slug)
    assert code == 1
    assert "영어 소문자" in said
    assert list(tmp_path.iterdir()) == []


def test_what_stands_is_never_written_over(made: LabFolder, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    pack = made.folder.parents[1]
    assert run("new", "event-notice", "--in", str(pack))[0] == 1
    assert run("new", "rough-cut", "--in", str(pack))[0] == 1, "the id of an installed lab"
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    assert run("new", "second", "--in", str(tmp_path / "full"))[0] == 1
    (pack / "third_checks.py").symlink_to(tmp_path / "nowhere")
    assert run("new", "third", "--in", str(pack))[0] == 1
    assert not (pack / "labs" / "third").exists()
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("name", ["json", "labs", "publishing", "class", "내수업", "9lives"])
def test_a_pack_takes_no_name_that_python_has_taken(name: str, tmp_path: Path) -> None:
    code, said = run("new", "event-notice", "--in", str(tmp_path / name))
    assert (code, (tmp_path / name).exists()) == (1, False)
    assert "my-lessons" in said


def test_hostile_titles_stay_texts(tmp_path: Path) -> None:
    title = "\"}\ncriteria: []\n# @pack@ 'x' <script>"
    assert run("new", "a-b", "--in", str(tmp_path / "mine"), "--title-ko", title, "--title-en", title)[0] == 0
    lab = read_pack("mine", tmp_path / "mine" / "mine").labs[0]
    assert (lab.lab.title.ko, lab.lab.title.en) == (title, title)
    assert len(lab.lab.criteria) == 2


def test_no_brief(made: LabFolder) -> None:
    (made.folder / "learner" / "brief.en.md").write_text(" \n")
    (made.folder / "learner" / "brief.ko.md").unlink()
    assert [finding.file for finding in wrong(made) if "The brief" in finding.said.en] == [
        "learner/brief.ko.md",
        "learner/brief.en.md",
    ]


def test_points_that_do_not_add_up_and_no_rubric(made: LabFolder) -> None:
    lab = change(made, "lab.yaml", "points: 70", "points: 60")
    assert "lab.yaml: criteria.points: The points add up to 90; make it 100." in told(lab)
    text = (made.folder / "lab.yaml").read_text("utf-8")
    (made.folder / "lab.yaml").write_text(
        text[: text.index("  - id: reads-well")].replace("points: 60", "points: 100"), "utf-8"
    )
    assert any("judged by a person" in said for said in told(read_pack("my_lessons", made.folder.parents[1]).labs[0]))


@pytest.mark.parametrize(
    ("file", "old", "new", "place", "said"),
    [
        ("lab.md", "## 1. Ask the AI", "## 1. AI에게 부탁하기\n\n따옴표 사이에 부탁을 적으세요.", "lab.md: line 43", "differ in number"),
        ("lab.md", 'Write your request between the quotes. Say what has to be in it, and how long it may be.', "따옴표 사이에 부탁을 적으세요. 무엇을 넣을지도요.", "lab.md: line 43", "written in Korean"),
        ("lab.md", '+++ {"lang": "en"}\n\n## 2. Mend', '+++ {"lang": "ko"}\n\n## 2. Mend', "lab.md: line 73", "no English one"),
        ("lab.md", '+++ {"lang": "en"}\n\n## 2. Mend', '+++ {"lang": "fr"}\n\n## 2. Mend', "lab.md: line 73", "Unknown language"),
        ("lab.md", '+++ {"lang": "ko"}\n\n## 2.', "+++\n\n## 2.", "lab.md: line 67", "both languages"),
        ("lab.yaml", '"The notice"', '"안내문"', "lab.yaml: deliverables.0.title.en", "written in Korean"),
        ("learner/brief.ko.md", "책방 물결이 낭독회를 엽니다.", "", "", ""),
    ],
)  # fmt: skip
def test_an_untranslated_text_is_found_by_its_line(
    made: LabFolder, file: str, old: str, new: str, place: str, said: str
) -> None:
    found = wrong(change(made, file, old, new))
    assert any(finding.place == place and said in finding.said.en for finding in found) if place else found == [], found


def test_no_failing_reference_no_good_one_and_one_for_no_criterion(made: LabFolder) -> None:
    references = made.folder / "reference"
    for lang in ("ko", "en"):
        (references / f"fail-facts.{lang}").rename(references / f"fail-other.{lang}")
        shutil.rmtree(references / f"good.{lang}")
    places = [finding.place for finding in wrong(made)]
    assert places == ["reference/good/", "reference/fail-other", "reference/fail-facts/"]


def test_a_key_that_is_not_there_and_a_link_out_of_the_folder(made: LabFolder) -> None:
    (made.folder / "learner" / "more.txt").symlink_to("/etc/hostname")
    hidden = 'visible: false\n    about: {ko: "사실을 봅니다", en: "The facts"}\n    params:\n      key: "server/key.{lang}.yaml"\n'
    lab = change(made, "lab.yaml", "params:\n", hidden)
    assert [line for line in told(lab) if "server/" in line or "link" in line] == [
        "lab.yaml: criteria.facts.params.key: The file server/key.ko.yaml is not there.",
        "lab.yaml: criteria.facts.params.key: The file server/key.en.yaml is not there.",
        "learner/more.txt: This is a link: what it leads to would be handed out.",
    ]


@pytest.mark.parametrize("lab", INSTALLED, ids=lambda lab: lab.id)
def test_the_shipped_labs_lack_nothing(lab: LabFolder) -> None:
    assert told(lab) == []


def test_labs_are_meant_by_id_by_folder_and_by_where_one_stands(
    made: LabFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = made.folder.parents[2]
    for folder in (made.folder, made.folder.parents[1], project):
        assert [lab.id for lab in labs_meant([str(folder)])] == ["event-notice"]
    monkeypatch.chdir(project)
    assert [lab.id for lab in labs_meant([])] == ["event-notice"]
    assert [lab.pack for lab in labs_meant(["rough-cut"])] == ["video_content"]
    code, said = run("check", "no-such-lab")
    assert (code, "no-such-lab" in said) == (1, True)


def test_a_manifest_that_cannot_be_read_is_told_with_its_field(made: LabFolder) -> None:
    (made.folder / "lab.yaml").write_text(
        (made.folder / "lab.yaml").read_text("utf-8").replace("minutes: 60", "minutes: 900"), "utf-8"
    )
    code, said = run("check", str(made.folder))
    assert code == 1
    assert "minutes" in said


def test_markup_of_a_lab_is_cleaned() -> None:
    hostile = '<script>a()</script><b onclick="a()">x</b><a href="javascript:a()">y</a><iframe src="//e"></iframe><style>*{}</style><form action="//e"><input></form>'
    told = clean(hostile)
    assert "<b>x</b>" in told
    for part in ("<script", "onclick", "javascript:", "<iframe", "<style", "<form", "<input"):
        assert part not in told


def test_a_solution_a_key_and_a_reference_are_found_in_what_is_handed_out(made: LabFolder, tmp_path: Path) -> None:
    import nbformat

    from labs.build import build_lab

    source, released = tmp_path / "source", tmp_path / "released"
    build_lab(made, "course", "en", source)
    build_lab(made, "course", "en", released)  # with its solutions: nbgrader has not been there
    shutil.copy(made.folder / "reference" / "good.en" / "notice.md", released / "example.md")
    found = leaks_of(source, released, made)
    assert ["example.md", "reference/good.en/notice.md"] in found
    assert {what[:12] for file, what in found if file == "event-notice.ipynb"} == {"prompt = lab", "BEGIN SOLUTI"}
    notebook = nbformat.read(released / "event-notice.ipynb", 4)
    notebook.cells[0].source += '\n\n<img src="x" onerror="alert(1)"><script>alert(1)</script>'
    nbformat.write(notebook, released / "event-notice.ipynb")
    page = render_page(released, "event-notice", "en")
    assert "onerror" not in page
    assert "¶" not in page
    assert "<script" not in page


def test_an_archive_out_of_the_sandbox_writes_plain_files_inside_only(tmp_path: Path) -> None:
    import io
    import tarfile

    for name, kind in (
        ("../out", tarfile.REGTYPE),
        ("/abs", tarfile.REGTYPE),
        ("link", tarfile.SYMTYPE),
        ("pipe", tarfile.FIFOTYPE),
    ):
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as archive:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
        with pytest.raises(ValueError, match="refused"):
            unpack(data.getvalue(), tmp_path / "in")
    assert not (tmp_path / "out").exists()
