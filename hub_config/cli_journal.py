"""`practicum journal`: verifying the records, exporting their signed head, and what an outsider needs to verify them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click
from sqlalchemy import Engine

from hub_config.console import in_force, language, say
from hub_config.settings import Settings
from labs.texts import Text, UserError

if TYPE_CHECKING:
    from grader.records.anchors import Anchor


@click.group(help="기록 원장 / the journal of the records.")
def journal() -> None:
    """Journal."""


@journal.command(
    "verify", help="원장 전체를 내보낸 서명과 대조해 검사합니다 / walk the whole chain, against every exported head"
)
def journal_verify() -> None:
    from grader.records import head_check
    from grader.records.anchors import anchors
    from grader.records.db import reading
    from hub_config.heads import head_export

    settings = in_force()
    exported = head_export(settings).heads
    with _records(settings) as engine, reading(engine) as session:
        walked = head_check.verify(session, exported)
        bad = walked.finding.text if walked.finding else _verify_receipts(settings, anchors(session))
    if bad:
        raise click.ClickException(bad.in_(language()))
    said, held = walked.at.seq, len(exported.read())
    say(f"기록 원장이 온전합니다. 기록 {said}건을 내보낸 서명 {held}건과 대조했습니다.",
        f"The chain of {said} events holds, and so do the {held} heads that were exported.")  # fmt: skip


def _verify_receipts(settings: Settings, anchors: Sequence[Anchor]) -> Text | None:
    """Walk the AI receipts too, where there are any; they have to hold what the journal says of them."""
    from hub_config.ai_gateway.ledger import verify, verify_sums

    if not settings.receipts_path.is_file():
        missing = Text(
            ko=f"원장에는 AI 영수증이 기록되어 있지만 {settings.receipts_path} 파일이 없습니다.",
            en=f"the journal anchors AI receipts, but {settings.receipts_path} is not there",
        )
        return missing if anchors else None
    wrong = verify(settings.receipts_path, [(anchor.number, anchor.hash) for anchor in anchors])
    return wrong or verify_sums(settings.receipts_path)


@journal.command("export", help="서명한 원장의 끝을 내보냅니다 / export the signed head")
def journal_export() -> None:
    from hub_config.heads import head_export

    settings = in_force()
    exported = head_export(settings)
    with _records(settings) as engine:
        head = exported.export(engine, datetime.now(UTC))
    if head is None:
        say("새 기록이 없어 내보낼 것이 없습니다.", "There is nothing new to export.")
    else:
        click.echo(head.line.decode())


@journal.command(
    "new-key", help="서명 열쇠를 바꿉니다. 옛 서명도 계속 검사됩니다 / change the signing key; old heads still verify"
)
def journal_new_key() -> None:
    from hub_config.heads import head_export

    settings = in_force()
    exported = head_export(settings)
    with _records(settings) as engine:
        exported.export(engine, datetime.now(UTC))  # the old key's last word
    with exported.heads.alone():
        name = exported.heads.keys.renew()
    say(f"새 열쇠 {name}. 공개 열쇠: {exported.heads.keys.folder / f'{name}.pem'}",
        f"The new key is {name}; its public key: {exported.heads.keys.folder / f'{name}.pem'}")  # fmt: skip


@journal.command("dump", help="모든 기록을 JSON 줄로 씁니다 / write every event as a line of JSON")
@click.argument("file", type=click.File("w", encoding="utf-8", atomic=True), default="-")
def journal_dump(file: TextIO) -> None:
    from grader.records import chain
    from grader.records.db import reading

    with _records(in_force()) as engine, reading(engine) as session:
        for row in chain.rows(session):
            if isinstance(row, chain.Finding):
                raise UserError(row.text.ko, row.text.en)
            file.write(
                json.dumps({**chain.fields_of(row), "hash": row.hash}, ensure_ascii=False, sort_keys=True) + "\n"
            )


@journal.command(
    "script", help="외부인이 검사할 때 쓸 프로그램을 출력합니다 / print the program with which an outsider verifies"
)
def journal_script() -> None:
    from grader.records import verify_journal

    click.echo(Path(verify_journal.__file__).read_text("utf-8"), nl=False)


@contextmanager
def _records(settings: Settings) -> Iterator[Engine]:
    """The records that are there; UserError where there are none yet."""
    from grader.records.db import open_database

    if not settings.database_url and not settings.records_path.is_file():
        raise UserError(
            f"기록이 아직 없습니다: {settings.records_path}", f"there are no records yet: {settings.records_path}"
        )
    engine = open_database(settings.records_database)
    try:
        yield engine
    finally:
        engine.dispose()
