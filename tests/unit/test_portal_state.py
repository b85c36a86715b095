"""What an installation stands on, on a page: settings without secrets, the journal, when backups were made."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner
from test_portal_world import PREFIX, World, seeded_records, world

from grader.records.heads import Heads, export
from hub_config.backup.noted import FILE, note, noted
from hub_config.cli import main
from hub_config.settings import Settings
from hub_config.settings_shown import KOREAN, shown, without_secrets

PAGE = f"{PREFIX}office/hanbit/state/settings"


def test_every_setting_is_shown_with_its_meaning_in_both_languages() -> None:
    told = {one.name: one for one in shown(Settings())}
    assert set(told) == set(Settings.model_fields) == set(KOREAN)
    assert not any(one.own for one in told.values())
    assert told["port"].value == "8000"
    assert {one.name for one in shown(Settings(port=9000)) if one.own} == {"port"}


def test_no_secret_is_shown() -> None:
    secret = "not-for-anybody"
    settings = Settings.model_validate({
        "demo_password": secret, "journal_head_url": f"https://u:{secret}@keep.example/x?token={secret}",
        "database_url": f"postgresql+psycopg://lab@db/name?passfile=/{secret}",
        "providers": {"p": {"base_url": f"https://key:{secret}@ai.example/v1?key={secret}", "api_key_file": "key"}},
    })  # fmt: skip
    assert secret in settings.model_dump_json(), "it is there to be shown"
    assert secret not in "".join(one.model_dump_json() for one in shown(settings))
    assert without_secrets("https://a:b@c.example/d?e=f") == "https://c.example/d?…"


def test_the_page_tells_the_journal_its_heads_and_the_settings(world: World, tmp_path: Path) -> None:
    heads = Heads(tmp_path / "heads", tmp_path / "key")
    world.attended("mina", date(2026, 7, 6))
    export(world.engine, heads, world.now)
    world.start(shown_settings=shown(Settings(demo_password="never-shown-here")))
    world.site.journal._exported = heads
    page = world.browser("office", "en").get(PAGE).text
    assert "never-shown-here" not in page
    assert "settings file or command" in page
    assert heads.read()[-1].hash in page
    assert "The journal holds" in page
    assert "never noted" in page
    assert "download" not in page, "no backup is handed out"
    (heads.file).write_bytes(heads.file.read_bytes().replace(b'"seq":1', b'"seq":9'))
    assert world.browser("office", "en").get(PAGE).status_code == 200, "heads that cannot be read take no page down"


def test_backups_are_noted_by_their_commands_and_shown(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = world.settings.courses_folder.parent
    file = tmp_path / "of-monday.pbk"
    file.write_bytes(b"x" * 2_000_000)
    note(data, "made", file, sealed=True)
    note(data, "verified", file, sealed=True, events=7)
    (data / FILE).write_text((data / FILE).read_text("utf-8") + '{"half": ', "utf-8")
    assert [(one.what, one.events) for one in noted(data)] == [("verified", 7), ("made", None)]
    page = world.browser("office", "en").get(PAGE).text
    assert page.count("of-monday.pbk") == 2
    assert "2.0 MB" in page
    assert str(tmp_path) not in page, "a name and no path"
    note(tmp_path / "nowhere", "made", file, sealed=False)
    assert not (tmp_path / "nowhere").exists()
