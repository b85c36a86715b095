"""`practicum backup`: one file of everything, restoring it, and seeing whether it would restore."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from tqdm import tqdm

from hub_config.console import in_force, say
from hub_config.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub_config.backup.archive import Contents
    from hub_config.backup.examine import Held

PASSPHRASE = click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path),
    help="첫 줄이 암호인 파일 / a file whose first line is the passphrase",
)


@click.group(help="백업 / backup: one file, while Practicum runs.")
def backup() -> None:
    """Backup."""


@backup.command("create", help="실행 중에도 백업을 만듭니다 / make a backup, also while Practicum runs")
@click.argument("file", type=click.Path(path_type=Path))
@PASSPHRASE
@click.option("--homes", is_flag=True, help="훈련생의 홈 폴더도 / with the learners' homes")
@click.option(
    "--with-secrets", is_flag=True, help="암호 없이도 비밀 파일을 넣음 / the secrets too, though it is not encrypted"
)
def backup_create(file: Path, passphrase_file: Path | None, homes: bool, with_secrets: bool) -> None:
    from hub_config.backup import sources
    from hub_config.backup.create import create, passphrase_of
    from hub_config.backup.noted import note

    settings = in_force()
    passphrase = passphrase_of(passphrase_file) if passphrase_file else None
    secrets = with_secrets or passphrase is not None
    total = sources.size_of(settings.data, sources.folders_of(homes, secrets))
    with _bar(total) as report:
        contents = create(settings, file, homes=homes, secrets=secrets, passphrase=passphrase, report=report)
    note(settings.data, "made", file, sealed=passphrase is not None)
    size, files = file.stat().st_size / 1e6, len(contents.files)
    for name in contents.left_out:
        say(f"넣지 않음: {name}", f"left out: {name}")
    say(f"백업을 만들었습니다: {file} ({size:.1f}MB, 파일 {files}개). 확인: practicum backup verify {file}",
        f"The backup is made: {file} ({size:.1f} MB, {files} files). To verify it: practicum backup verify {file}")  # fmt: skip
    if not secrets:
        say("비밀 파일(secrets)은 넣지 않았습니다. 암호를 정하면 함께 들어갑니다.",
            "The secrets are not in it; with a passphrase they are.")  # fmt: skip


@backup.command("restore", help="빈 폴더에 복원하고 검사합니다 / restore into an empty folder, and verify")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
@PASSPHRASE
@click.option("--anyway", is_flag=True, help="원장이 온전하지 않아도 복원 / restore records that do not hold too")
@click.option(
    "--into-database",
    metavar="URL",
    help="기록을 빈 PostgreSQL에도 넣음 / put the records into an empty PostgreSQL too",
)
def backup_restore(
    file: Path, folder: Path, passphrase_file: Path | None, anyway: bool, into_database: str | None
) -> None:
    from hub_config.backup.create import passphrase_of
    from hub_config.backup.restore import load_records, restore

    target = Settings(database_url=into_database) if into_database else None

    with _bar(file.stat().st_size if file.is_file() else 0) as report:
        contents, held = restore(
            file, folder, passphrase_of(passphrase_file) if passphrase_file else None, report, anyway=anyway
        )
    if target is not None:
        load_records(folder, target)
    _tell(contents, held)
    say(f"복원했습니다: {folder}. 시작: practicum up --data {folder}",
        f"Restored: {folder}. To start it: practicum up --data {folder}")  # fmt: skip


@backup.command("verify", help="복원되는 백업인지 검사합니다 / see whether a backup would restore")
@click.argument("file", type=click.Path(path_type=Path))
@PASSPHRASE
def backup_verify(file: Path, passphrase_file: Path | None) -> None:
    from hub_config.backup.create import passphrase_of
    from hub_config.backup.noted import note
    from hub_config.backup.restore import verify

    with _bar(file.stat().st_size if file.is_file() else 0) as report:
        contents, held = verify(file, passphrase_of(passphrase_file) if passphrase_file else None, report)
    note(
        in_force().data,
        "verified",
        file,
        sealed=passphrase_file is not None,
        holds=held.wrong is None,
        events=held.events,
    )
    _tell(contents, held)


def _tell(contents: Contents, held: Held) -> None:
    if held.wrong is not None:
        say(f"온전하지 않은 기록을 복원했습니다: {held.wrong.ko}", f"What was restored does not hold: {held.wrong.en}")
        return
    say(f"온전한 백업입니다({contents.made_at:%Y-%m-%d %H:%M} UTC): 기록 {held.events}건, 서명 {held.heads}건, 제출물 등 파일 {held.blobs}개.",
        f"The backup of {contents.made_at:%Y-%m-%d %H:%M} UTC holds: {held.events} events, {held.heads} heads, {held.blobs} files of the records.")  # fmt: skip


@contextmanager
def _bar(total: int) -> Iterator[Callable[[int], None]]:
    """A bar in the terminal, on its way in bytes."""
    with tqdm(total=total, unit="B", unit_scale=True, dynamic_ncols=True, disable=None) as bar:
        yield lambda size: (bar.update(size), None)[1]
