"""`practicum up`: a main flow of steps, each of which finds what an earlier run did and leaves it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import socket
from collections.abc import Callable
from datetime import UTC, datetime

import click

from grader.records.db import open_database
from grader.records.heads import HeadsError
from grader.sandbox import missing, why_missing
from hub_config.courses import build_labs, release_labs
from hub_config.heads import head_export
from hub_config.models.choice import settled, wanted
from hub_config.models.fetch import fetch
from hub_config.seed import accounts, seed_demo
from hub_config.services import all_services
from hub_config.settings import Settings
from hub_config.supervisor import ServiceFailed, Supervisor
from labs.texts import UserError

MIN_FREE_BYTES = 500_000_000


class CannotStart(UserError):
    """Something on this machine is in the way; one line that says what to do."""


def up(settings: Settings) -> int:
    """Start everything and keep it running until a signal; the exit code."""
    settings, say = settled(settings), _speaker(settings)
    _check_machine(settings)
    for name in ("logs", "homes", "courses", "run"):
        (settings.data / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    with _OnlyOne(settings):
        _fetch_models(settings, say)
        _seed(settings, say)
        _export_head(settings, say)
        say("실습을 준비합니다.", "Preparing the labs.")
        build_labs(settings, lambda line: click.echo(f"  {line}"))
        say("서비스를 시작합니다.", "Starting the services.")
        supervisor = Supervisor(all_services(settings), settings.data / "logs", click.echo)
        try:
            asyncio.run(supervisor.run(lambda: _ready(settings, say)))
        except ServiceFailed as failed:
            raise CannotStart(
                f"{failed.name} 서비스가 시작되지 않았습니다. 까닭: {failed.log}",
                f"The service {failed.name} does not start; see why in {failed.log}",
            ) from None
        say("모두 멈췄습니다.", "Everything has stopped.")
    return 0


def _ready(settings: Settings, say: Callable[[str, str], None]) -> None:
    release_labs(settings)
    say(f"\n준비되었습니다: {settings.base_url}", f"\nReady: {settings.base_url}")
    say(
        f"시연용 계정(비밀번호는 모두 {settings.demo_password}):",
        f"Demonstration accounts (password: {settings.demo_password}):",
    )
    for login, name in accounts().items():
        click.echo(f"  {login:10} {name}")
    say(
        "시연 전용입니다. 실제 과정에 쓰지 마세요. 멈추려면 Ctrl-C.",
        "For demonstration only, never for a real course. Ctrl-C stops it.",
    )


def _speaker(settings: Settings) -> Callable[[str, str], None]:
    return lambda ko, en: click.echo(en if settings.language == "en" else ko)


def _check_machine(settings: Settings) -> None:
    """Refuse to start where it cannot work, before anything is written."""
    if why := why_missing():
        raise missing(why)
    for port in settings.ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.host if port == settings.port else "127.0.0.1", port))
            except OSError:
                raise CannotStart(
                    f"포트 {port}을(를) 다른 프로그램이 쓰고 있습니다. 그 프로그램을 끝내거나 `make up PORT=9000`처럼 다른 포트로 시작하세요.",
                    f"Port {port} is in use: end what uses it, or start on another one, such as `make up PORT=9000`.",
                ) from None
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    free = shutil.disk_usage(settings.data).free
    if free < MIN_FREE_BYTES:
        raise CannotStart(
            f"디스크에 {free // 1_000_000}MB만 남았습니다. {MIN_FREE_BYTES // 1_000_000}MB 이상 비우세요.",
            f"Only {free // 1_000_000} MB of disk is free; make room for at least {MIN_FREE_BYTES // 1_000_000} MB.",
        )


class _OnlyOne:
    """Holds the data folder, so that two Practicums never write to one."""

    def __init__(self, settings: Settings) -> None:
        self.path = settings.data / "run" / "up.lock"

    def __enter__(self) -> None:
        self.handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotStart(
                f"이 자료 폴더로 이미 실행 중입니다: {self.path.parents[1]}",
                f"A Practicum already runs on this data folder: {self.path.parents[1]}",
            ) from None

    def __exit__(self, *_exc: object) -> None:
        os.close(self.handle)


def _fetch_models(settings: Settings, say: Callable[[str, str], None]) -> None:
    for name in wanted(settings):
        say(f"AI 모델을 확인합니다: {name}", f"Checking the AI model: {name}")
        fetch(name, settings.models_folder)


def _seed(settings: Settings, say: Callable[[str, str], None]) -> None:
    engine = open_database(settings.records_database)
    if seed_demo(engine, datetime.now(UTC)):
        say("시연용 기관을 만들었습니다.", "Seeded the demonstration institution.")
    engine.dispose()


def _export_head(settings: Settings, say: Callable[[str, str], None]) -> None:
    """Keep what stands now outside the database; heads that cannot be gone on with hold up no class."""
    engine = open_database(settings.records_database)
    try:
        head_export(settings).export(engine, datetime.now(UTC))
    except HeadsError as error:
        say(error.text.ko, error.text.en)
    engine.dispose()
