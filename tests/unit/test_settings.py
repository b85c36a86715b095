"""The settings: what cannot work is refused with the field's name, and secrets are the owner's alone."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from hub_config.settings import Settings, SettingsError, is_loopback, load_settings


@pytest.fixture(autouse=True)
def _no_settings_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PRACTICUM_SETTINGS", raising=False)
    monkeypatch.delenv("PRACTICUM_MODELS", raising=False)
    monkeypatch.chdir(tmp_path)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "practicum.yaml"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.7", "::", "lab.example.org", "127.0.0.1.example.org", ""])
def test_the_demonstration_login_is_refused_off_loopback(tmp_path: Path, host: str) -> None:
    with pytest.raises(SettingsError, match="host: the demonstration login has one shared password"):
        load_settings(written(tmp_path, f'host: "{host}"'))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_is_known(host: str) -> None:
    assert is_loopback(host)
    assert Settings(host=host).host == host


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("colour: red", "colour"),
        ("port: 80", "port"),
        ("port: eight", "port"),
        ("demo_password: short", "demo_password"),
        ("language: fr", "language"),
        ("ai_budgets: {learner: {krw: -1}}", "ai_budgets.learner.krw"),
        ("ai_content_days: 0", "ai_content_days"),
        ("providers: {openai: {}}", "providers.openai.base_url"),
        ("providers: {built-in: {base_url: http://p}}", "built-in"),
        ("ai_models: {lab-default: [{upstream: nobody, model: m, prices: [{effective: 2026-01-01}]}]}", "nobody"),
        ("ai_models: {lab-default: []}", "ai_models.lab-default"),
        ("model: none", "lab-default"),
        ("journal_head_url: file:///x", "journal_head_url"),
        ("database_url: mysql://u@h/d", "database_url: mysql"),
        ("database_url: 'no url'", "database_url: write it as"),
        ("database_url: 'postgresql://u:secret@h/d'", "database_url: keep the password in a file"),
        ("- a\n- list", "name: value"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(written(tmp_path, text))
    for said in (refused.value.text.ko, refused.value.text.en):
        assert "\n" not in said
    assert named in refused.value.text.en
    assert "practicum.yaml" in refused.value.text.en


@pytest.mark.parametrize("text", ["port: [1", "a: b: c", "\tport: 1", "!!python/object:os.system {}"])
def test_a_file_that_is_not_yaml_is_one_line_too(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(written(tmp_path, text))
    assert "practicum.yaml" in refused.value.text.en
    assert "\n" not in refused.value.text.en


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "practicum.yaml").write_bytes(b"\xff\xfe\x00port")
    with pytest.raises(SettingsError, match=r"practicum\.yaml"):
        load_settings()


def test_a_named_file_has_to_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="no such settings file"):
        load_settings(tmp_path / "none.yaml")
    monkeypatch.setenv("PRACTICUM_SETTINGS", str(tmp_path / "none.yaml"))
    with pytest.raises(SettingsError, match="no such settings file"):
        load_settings()


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.base_url == "http://127.0.0.1:8000"
    assert settings.data == tmp_path / "var"
    assert len(set(settings.ports)) == 6


def test_paths_count_from_the_file_and_overrides_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    providers = "providers: {openai: {base_url: http://p/v1, api_key_file: key}, local: {base_url: http://l/v1}}"
    path = written(folder, f"data: ../data\nport: 9000\n{providers}")
    settings = load_settings(path, port=9100, model=None)
    assert settings.data == tmp_path / "data"
    assert settings.port == 9100
    assert settings.providers["openai"].api_key_file == folder / "key"
    assert settings.providers["local"].api_key_file is None
    monkeypatch.setenv("PRACTICUM_SETTINGS", str(path))
    assert load_settings().port == 9000


def test_an_override_is_checked_too(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="port"):
        load_settings(None, port=70000)


def test_a_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "var")
    first = settings.secret("cookie-secret")
    assert len(bytes.fromhex(first)) == 32
    assert settings.secret("cookie-secret") == first
    assert Settings(data=tmp_path / "var").secret("cookie-secret") == first
    assert settings.secret("proxy-token") != first
    path = tmp_path / "var" / "secrets" / "cookie-secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_every_setting_says_what_it_means() -> None:
    assert all(field.description for field in Settings.model_fields.values())


@pytest.mark.parametrize(
    "url", ["lab.example.kr", "https://lab.example.kr/", "https://lab.example.kr/x", "ftp://x", "https://a@b", ""]
)
def test_a_public_address_is_scheme_and_host_alone(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="public_url"):
        load_settings(written(tmp_path, f'public_url: "{url}"'))
    for good in ("https://lab.example.kr", "http://127.0.0.1:8000"):
        assert load_settings(written(tmp_path, f"public_url: {good}")).public_url == good


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg"])
def test_the_records_may_be_in_postgresql(scheme: str) -> None:
    settings = Settings(database_url=f"{scheme}://practicum@db/practicum?passfile=p")
    assert settings.records_database == "postgresql+psycopg://practicum@db/practicum?passfile=p"
    assert Settings().records_database.startswith("sqlite:///")
