"""The settings in force, to be looked at: what is set, from where, what it means. The rule: no secret is ever in it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from pydantic import BaseModel, ConfigDict

from hub_config.settings import Settings
from labs.texts import Text

#: What is never shown, also where it is the default.
SECRET = frozenset({"demo_password"})
KOREAN = {
    "data": "모든 자료가 있는 폴더", "host": "밖에서 접속하는 서버가 듣는 주소", "port": "밖에서 접속하는 포트. 내부 서비스는 이 번호에서 이어집니다",
    "public_url": "사람들이 접속하는 주소. 수료증에 들어가므로 첫 발급 전에 정하고 바꾸지 않습니다",
    "language": "명령과 로그인 화면의 언어", "login": "로그인 방법. `demo`는 시연 전용입니다", "demo_password": "시연용 공용 비밀번호",
    "spawner": "훈련생의 실습 서버를 시작하는 방법", "server_ports": "실습 서버가 밖으로 접속할 수 있는 포트",
    "model": "내장 대화 모델", "model_threads": "내장 모델이 쓰는 스레드 수", "model_idle_seconds": "호출이 없으면 내장 모델을 내리는 시간(초)",
    "max_audio_seconds": "받아쓸 수 있는 가장 긴 소리(초)", "providers": "외부 AI 제공자와 키 파일의 위치", "ai_models": "실습이 부르는 모델 이름마다 실제로 쓰는 모델",
    "ai_prices": "내장 모델의 계산용 가격(원)", "ai_budgets": "훈련생, 과정, 기관이 AI에 쓸 수 있는 한도. 담당자가 화면에서 정한 한도가 먼저입니다", "ai_courses": "과정이나 실습에만 다르게 적용하는 AI 규칙",
    "ai_content_days": "AI 질문과 답을 보관하는 날수", "keep_records_years": "훈련 기록을 보관하는 햇수", "keep_looks_years": "열람 기록을 보관하는 햇수",
    "max_upload_mb": "제출물 하나의 최대 크기(MB)", "database_url": "기록 데이터베이스의 위치. 비우면 자료 폴더의 SQLite", "journal_head_url": "원장의 서명을 보내 두는 밖의 주소",
    "kubernetes": "쿠버네티스에서 실습 서버를 파드로 시작할 때의 설정",
    "idle_server_minutes": "쓰지 않는 실습 서버를 끄기까지의 시간(분). 수업 중에는 끄지 않습니다", "idle_formgrader_minutes": "쓰지 않는 formgrader 서버를 끄기까지의 시간(분)",
    "idle_warning_minutes": "서버를 끄기 전에 알리는 시간(분)",
    "server_memory_mb": "실습 서버 하나가 쓸 수 있는 메모리(MB)", "server_cpus": "실습 서버 하나가 쓸 수 있는 CPU",
    "server_processes": "실습 서버 하나가 띄울 수 있는 프로세스 수", "server_file_mb": "실습 서버에서 쓸 수 있는 파일 하나의 최대 크기(MB)",
    "grading_workers": "동시에 채점하는 제출물 수", "portal_processes": "화면 요청을 나누어 처리하는 프로세스 수",
}  # fmt: skip


class Shown(BaseModel):
    """A setting as a page shows it; `own` where it is other than the default."""

    model_config = ConfigDict(frozen=True)

    name: str
    value: str
    own: bool
    meaning: Text


def shown(settings: Settings) -> tuple[Shown, ...]:
    """Every setting in the order of the reference."""
    told = settings.model_dump(mode="json")
    default = Settings.model_construct().model_dump(mode="json", warnings=False)
    return tuple(
        Shown(
            name=name,
            value="••••••" if name in SECRET else _value(told[name]),
            own=told[name] != default[name] and name != "data",
            meaning=Text(ko=KOREAN.get(name, field.description or name), en=field.description or name),
        )
        for name, field in Settings.model_fields.items()
    )


def _value(value: Any) -> str:
    if value in (None, {}, [], ""):
        return ""
    return without_secrets(value) if isinstance(value, str) else json.dumps(_plain(value), ensure_ascii=False, indent=1)


def _plain(value: Any) -> Any:
    """What is set, without what is not."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items() if inner not in (None, {}, [])}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return without_secrets(value) if isinstance(value, str) else value


def without_secrets(text: str) -> str:
    """An address without its user's part and its query, where keys are wont to stand; any other text as it is."""
    if "://" not in text:
        return text
    parts = urlsplit(text)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "…" if parts.query else "", ""))
