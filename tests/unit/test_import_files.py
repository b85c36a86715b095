"""Files that are imported: every encoding and kind that offices have, and files that attack whoever reads them."""

from __future__ import annotations

import io
import json
import random
import resource
import subprocess
import sys
import time as clock
import zipfile
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from import_files import Rows, csv_file, json_file, sheet_of, with_part, xlsx_file

from grader.imports.limits import MAX_COLUMNS, MAX_FILE_BYTES, MAX_ROWS, BadFile
from grader.imports.resident import ResidentNumber, holds_resident_number
from grader.imports.tables import Table, read_table
from labs.texts import UserError

ROWS: Rows = [("이름", "훈련생번호"), ("김하늘", "T1"), ("이도윤", "T2")]


def texts(table: Table) -> list[tuple[str, ...]]:
    return [table.headings, *(line.cells for line in table.lines)]


def refusal(data: bytes, name: str = "명단.csv") -> UserError:
    with pytest.raises(UserError) as caught:
        read_table(name, data)
    assert name in caught.value.text.ko
    assert name in caught.value.text.en
    return caught.value


# --- every form that offices have ------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_in_every_encoding_and_with_every_delimiter(encoding: str, delimiter: str) -> None:
    table = read_table("명단.csv", csv_file(ROWS, encoding, delimiter))
    assert texts(table) == [tuple(map(str, row)) for row in ROWS]
    assert [line.number for line in table.lines] == [2, 3]


def test_letters_that_only_cp949_has_are_read() -> None:
    table = read_table("a.csv", csv_file([("이름",), ("똠방각하",), ("샾",)], "cp949"))
    assert texts(table)[1:] == [("똠방각하",), ("샾",)]


def test_xlsx_and_json_read_as_the_same_table() -> None:
    want = texts(read_table("a", csv_file(ROWS)))
    assert texts(read_table("a", xlsx_file(ROWS))) == want
    assert texts(read_table("a", json_file(ROWS))) == want
    assert texts(read_table("a", json_file(ROWS, wrapped=True))) == want


def test_what_excel_makes_of_dates_times_and_numbers() -> None:
    row = (date(2026, 7, 6), datetime(2026, 7, 6), time(9, 5), timedelta(hours=18), 20260706.0, 900, True, 0.5, None)  # noqa: DTZ001 (as a workbook has it)
    table = read_table("a", xlsx_file([[f"c{i}" for i in range(9)], row]))
    assert table.lines[0].cells == ("2026-07-06", "2026-07-06", "09:05", "18:00", "20260706", "900", "True", "0.5", "")


def test_row_numbers_are_those_of_the_spreadsheet() -> None:
    lines = read_table("a.csv", '\r\n\r\n"이름"\r\n\r\n"김\n하늘"\r\n\r\n이도윤\r\n'.encode()).lines
    assert [line.number for line in lines] == [5, 7]
    lines = read_table("a", xlsx_file([(None,), ("이름",), (None,), ("김하늘",)])).lines
    assert [line.number for line in lines] == [4]


def test_a_name_in_parts_is_the_same_name() -> None:
    apart = "김하늘".encode().decode()
    import unicodedata

    table = read_table("a.csv", csv_file([("이름",), (unicodedata.normalize("NFD", apart),), ("\u200b김하늘\ufeff",)]))
    assert [line.cells[0] for line in table.lines] == ["김하늘", "김하늘"]


def test_a_hidden_sheet_is_not_read() -> None:
    import openpyxl

    book = openpyxl.Workbook()
    hidden, shown = book.active, book.create_sheet()
    assert hidden is not None
    hidden.sheet_state = "hidden"
    hidden.append(["x"])
    shown.append(["이름"])
    shown.append(["김하늘"])
    stream = io.BytesIO()
    book.save(stream)
    assert read_table("a", stream.getvalue()).headings == ("이름",)


# --- files that are wrong, and what is said of them -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "빈 파일"),
        (b" \r\n ", "빈 파일"),
        ("이름\r\n".encode(), "열 이름 아래에 행이 없습니다"),
        (b"\xd0\xcf\x11\xe0" + b"0" * 100, "예전 엑셀 형식(XLS)"),
        (b"<html><table><tr><td>1", "HTML이나 XML"),
        (b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>", "HTML이나 XML"),
        ("이름\r\n김\0하늘".encode(), "2행에 NUL"),
        ("이름,번호\r\n김하늘,1,2".encode(), "2행에 열 이름(2개)보다 많은 칸"),
        ('이름\r\n"김하늘'.encode(), "따옴표가 맞지 않"),
        ("이름\r\n김하늘\r\n".encode() + "이도윤".encode("cp949"), "3행의 글자를 읽을 수 없습니다"),
        ("이름\r\n김하늘\r\n".encode("cp949") + "이도윤".encode(), "3행의 글자를 읽을 수 없습니다"),
        (b"\xef\xbb\xbf" + "이름\r\n김하늘".encode("cp949"), "1행의 글자를 읽을 수 없습니다"),
        (b"a\r\n\xff\xff\xff", "2행의 글자를 읽을 수 없습니다"),
        (b"{", "JSON으로 읽을 수 없습니다"),
        (b"[" * 100_000, "JSON으로 읽을 수 없습니다"),
        (b"{}", "찾은 목록: 없음"),
        (b'{"a":[{"b":1}],"c":[{"d":2}]}', "찾은 목록: a, c"),
        (b'[{"a":{"b":1}}]', "목록입니다"),
        (b'[{"a":"\\ud800"}]', "쓸 수 없는 문자"),
        (b'[{"a":' + b"9" * 5000 + b"}]", "JSON으로 읽을 수 없습니다"),
        (b"PK\x03\x04 no archive", "XLSX로 읽을 수 없습니다"),
        (csv_file([("a",), ("가" * 3000,)]), "2행에 2,000자가 넘는 칸"),
        (csv_file([("a",), ("가" * 200_000,)]), "2행의 따옴표가 맞지 않거나 칸이 너무"),
        (b"a\n" * (MAX_ROWS + 2), "20,000행까지"),
        (b",".join([b"a"] * (MAX_COLUMNS + 1)) + b"\nb", "200열까지"),
        (b"a" * (MAX_FILE_BYTES + 1), "10 MB까지"),
    ],
)  # fmt: skip
def test_a_bad_file_says_what_is_wrong_and_where(data: bytes, says: str) -> None:
    assert says in refusal(data).text.ko


# --- resident registration numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cell",
    ["900101-1234567", "9001011234567", "900101 1234567", "900101–1234567", "홍길동(900101-1234567)", "９００１０１－１２３４５６７",
     "000229.3123456", "900101-5234567", "010131-4234561", "900101  -1234567"],
)  # fmt: skip
@pytest.mark.parametrize("make", [csv_file, xlsx_file, json_file])
def test_a_file_with_a_resident_number_is_refused_and_the_number_is_not_repeated(cell: str, make: object) -> None:
    assert callable(make)
    error = refusal(make([("이름", "비고"), ("김하늘", ""), ("이도윤", cell)]))
    assert isinstance(error, ResidentNumber)
    for text in (error.text.ko, error.text.en):
        assert not any(part in text for part in ("900101", "1234567", "９００", cell))
    assert "2번째 열" in error.text.ko


def test_a_number_in_a_heading_or_a_column_named_so_is_refused() -> None:
    assert isinstance(refusal(csv_file([("이름", "900101-1234567"), ("김", "")])), ResidentNumber)
    assert isinstance(refusal(csv_file([("이름", "주민등록번호 뒷자리"), ("김", "1234567")])), ResidentNumber)
    assert read_table("a.csv", csv_file([("이름", "주민등록번호"), ("김", "")])).lines


@pytest.mark.parametrize(
    "text", ["20260706", "900101", "900101-1******", "010-1234-5678", "2026070612345678", "1234567890123", "T9001011"]
)
def test_dates_telephones_and_learner_numbers_are_no_resident_numbers(text: str) -> None:
    assert not holds_resident_number(text)


def test_the_end_of_one_cell_and_the_beginning_of_the_next_are_no_number() -> None:
    assert read_table("a.csv", csv_file([("a", "b"), ("900101", "1234567")])).lines


# --- attacks ------------------------------------------------------------------------------------------------------------

BOMB = b"0" * 1_000_000


def bomb(megabytes: int, part: str = "xl/sharedStrings.xml") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(part, "w") as inner:
        for _ in range(megabytes):
            inner.write(BOMB)
    return stream.getvalue()


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    file = tmp_path / "bomb.xlsx"
    file.write_bytes(bomb(1000))
    assert file.stat().st_size < 2_000_000
    program = (
        "import resource, sys; from pathlib import Path\n"
        "from grader.imports.tables import read_table; import grader.imports.xlsx_file\n"
        "data = Path(sys.argv[1]).read_bytes(); before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: read_table('b.xlsx', data)\n"
        "except Exception as error: print(type(error).__name__, error, file=sys.stderr)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(file)], capture_output=True, text=True, check=True)
    assert "BadFile b.xlsx: it unpacks to too much; at most 40 MB are read" in done.stderr
    assert int(done.stdout) < 20_000, "kB more than before"


def test_an_archive_that_lies_about_its_sizes_gives_no_more_than_it_says() -> None:
    honest = bomb(100, "xl/worksheets/sheet1.xml")
    size = (100_000_000).to_bytes(4, "little")
    assert size in honest
    refusal(honest.replace(size, (1000).to_bytes(4, "little")))


def with_shared_strings(strings: str) -> bytes:
    """A workbook as Excel makes it: the texts of its cells stand in a part of their own."""
    book = sheet_of(
        xlsx_file(ROWS), "".join(f'<row r="{n + 1}"><c r="A{n + 1}" t="s"><v>{n}</v></c></row>' for n in (0, 1))
    )
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        types = archive.read("[Content_Types].xml").decode()
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    told = f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kind}"/></Types>'
    book = with_part(book, "[Content_Types].xml", types.replace("</Types>", told).encode())
    return with_part(book, "xl/sharedStrings.xml", strings.encode())


def test_texts_that_stand_in_a_part_of_their_own_are_read() -> None:
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    strings = f'<sst xmlns="{main}"><si><t>이름</t></si><si><r><t>김</t></r><r><t>하늘</t></r></si></sst>'
    assert texts(read_table("a", with_shared_strings(strings))) == [("이름",), ("김하늘",)]


ENTITIES = '<!DOCTYPE x [<!ENTITY a "{}">{}]>'
LAUGHS = ENTITIES.format(
    "ha" * 10, "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
)
CELL = '<row r="{0}"><c r="A{0}" t="inlineStr"><is><t>{1}</t></is></c></row>'


@pytest.mark.parametrize(
    ("before", "entity"),
    [(LAUGHS, "&i;"), ('<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>', "&a;"),
     ('<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x"> %p;]>', "b"), (ENTITIES.format("quiet", ""), "&a;")],
    ids=["billion laughs", "a file of the machine", "an address", "even a harmless one"],
)  # fmt: skip
@pytest.mark.parametrize("part", ["sheet", "strings", "workbook"])
def test_entities_in_any_part_are_refused(before: str, entity: str, part: str) -> None:
    book = xlsx_file(ROWS)
    if part == "sheet":
        attack = sheet_of(book, CELL.format(1, "이름") + CELL.format(2, entity), before)
    else:
        main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        told = f'<?xml version="1.0"?>{before}<sst xmlns="{main}"><si><t>{entity}</t></si><si><t>x</t></si></sst>'
        attack = with_shared_strings(told) if part == "strings" else with_part(book, "xl/workbook.xml", told.encode())
    started = clock.process_time()
    assert isinstance(refusal(attack), BadFile)
    assert clock.process_time() - started < 5


def test_a_reader_without_the_defence_would_take_the_entity() -> None:
    """The attack is one: Python's own XML reader puts the text of the entity in."""
    from xml.etree.ElementTree import fromstring

    told = fromstring(f"{ENTITIES.format('in', '')}<t>&a;</t>")
    assert told.text == "in"


@pytest.mark.parametrize(
    "rows",
    [
        '<row r="1"><c r="XFD1"><v>1</v></c></row>',
        '<row r="1"><c r="ZZZZZZZ1"><v>1</v></c></row>',
        '<row r="1048577"><c r="A1048577"><v>1</v></c></row>' * 2,
        '<row r="99999999999"><c r="A99999999999"><v>1</v></c></row>',
        '<row r="-5"><c r="A1"><v>1</v></c></row>',
        '<row r="1"><c r="A1" t="s"><v>7777</v></c></row>',
        '<row r="1"><c r="A1" t="n"><v>eins</v></c></row>',
        '<row r="1"><c r="A1" s="9999"><v>1</v></c></row>',
        '<row r="1"><c r="A1"><v>1e999</v></c></row>',
    ],
)
def test_a_sheet_with_places_that_cannot_be_is_refused_quickly(rows: str) -> None:
    started = clock.process_time()
    refusal(sheet_of(xlsx_file(ROWS), rows))
    assert clock.process_time() - started < 20


def many_cells(kind: str) -> bytes:
    """A file of kilobytes, within the limit of what it unpacks to."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    if kind == "texts":
        return with_shared_strings(f'<sst xmlns="{main}">{"<si><t/></si>" * 2_900_000}</sst>')
    rows = {
        "cells in a row": f"<row>{'<c/>' * 9_000_000}</row>",
        "cells in a row, parted by rows of another kind": "<row>" + "<c/><o:row xmlns:o='o'/>" * 1_000_000 + "</row>",
        "rows": "<row/>" * 6_000_000,
        "things in one another": "<row>" * 1000 + "</row>" * 1000,
    }
    return sheet_of(xlsx_file(ROWS), rows[kind])


@pytest.mark.parametrize(
    "kind",
    ["texts", "cells in a row", "cells in a row, parted by rows of another kind", "rows", "things in one another"],
)
def test_kilobytes_that_hold_millions_of_cells_are_counted_and_refused_before_they_are_held(kind: str) -> None:
    """openpyxl alone took 2.7 GB and 42 seconds for the cells in a row."""
    data = many_cells(kind)
    assert len(data) < 100_000
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, clock.process_time()
    assert "too many cells" in refusal(data).text.en
    assert clock.process_time() - started < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000, "kB more than before"


def test_a_million_columns_are_refused_at_the_first_row() -> None:
    refusal(csv_file([["a"] * 1_000_000, ["b"]]))
    refusal(json.dumps([{f"k{i}": 1 for i in range(300_000)}]).encode())


def test_many_small_parts_and_strange_compressions_are_refused() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number in range(2000):
            archive.writestr(f"{number}", b"")
    refusal(stream.getvalue())
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("xl/workbook.xml", b"x")
    refusal(stream.getvalue())


def test_names_of_parts_that_lead_out_write_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    table = read_table("a", with_part(xlsx_file(ROWS), "../../escaped.xml", b"x"))
    assert len(table.lines) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_formula_is_never_run_and_only_its_kept_value_is_read() -> None:
    formula = '<row r="2"><c r="A2" t="str"><f>HYPERLINK("http://x","y")</f><v>kept</v></c></row>'
    table = read_table("a", sheet_of(xlsx_file(ROWS), CELL.format(1, "이름") + formula))
    assert table.lines[0].cells == ("kept",)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400) | st.binary(max_size=200).map(lambda tail: b"PK\x03\x04" + tail)
       | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
       | st.text(max_size=200).map(lambda text: text.encode("cp949", "replace")))  # fmt: skip
def test_any_bytes_give_a_table_or_an_error_that_a_user_reads(data: bytes) -> None:
    try:
        table = read_table("x", data)
    except UserError:
        return
    assert all(len(line.cells) == len(table.headings) for line in table.lines)


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False))
def test_a_workbook_with_exchanged_bytes_gives_a_table_or_an_error_that_a_user_reads(chance: random.Random) -> None:
    data = bytearray(xlsx_file(ROWS))
    for _ in range(chance.randint(1, 20)):
        data[chance.randrange(4, len(data))] = chance.randrange(256)
    with suppress(UserError):
        read_table("x", bytes(data))


def test_reading_is_done_in_seconds_and_little_memory() -> None:
    rows = [[f"c{i}" for i in range(8)], *([f"값{i}", i, None, "출석", "0900", 1.5, "x", ""] for i in range(10_000))]
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, clock.process_time()
    assert len(read_table("a", xlsx_file(rows)).lines) == 10_000
    assert clock.process_time() - started < 30
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000
