"""`practicum doctor`: shows how an installation is doing in a terminal, or as JSON. The rule: what it shows is gathered in `health`."""

from __future__ import annotations

<<<<<<< /tmp/tmpkcxnnjdv/ours
import json
from collections.abc import Iterator

from hub_config.health.finding import SECTIONS, State
from hub_config.health.gather import Health
from labs.texts import Text

MARKS: dict[State, str] = {"good": "✔", "todo": "!", "bad": "✘", "off": "-"}
FAULTS = Text(ko="최근 오류", en="Errors of late")


def lines(health: Health, lang: str) -> Iterator[str]:
    """The lines of a terminal."""
    for section, title in SECTIONS.items():
        if found := health.of(section):
            yield f"{title.in_(lang)}"
        for finding in found:
            yield f"{MARKS[finding.state]} {finding.part:10} {finding.said.in_(lang)}"
            if finding.todo is not None:
                yield f"  {'':10} → {finding.todo.in_(lang)}"
    if health.faults:
        yield FAULTS.in_(lang)
    for fault in health.faults:
        yield f"  {fault.service:10} {fault.said}{f' ×{fault.count}' if fault.count > 1 else ''}"
    yield ", ".join(f"{name} {number}" for name, number in health.versions)


def as_json(health: Health) -> str:
    """The same as one JSON object."""
    findings = [
        {
            "section": finding.section, "part": finding.part, "state": finding.state,
            "said": {"ko": finding.said.ko, "en": finding.said.en},
            "todo": None if finding.todo is None else {"ko": finding.todo.ko, "en": finding.todo.en},
        }
        for finding in health.findings
    ]  # fmt: skip
    errors = [{"service": fault.service, "said": fault.said, "count": fault.count} for fault in health.faults]
    told = {
        "ok": health.is_well,
        "at": health.at.isoformat(),
        "findings": findings,
        "errors": errors,
        "versions": dict(health.versions),
    }
    return json.dumps(told, ensure_ascii=False)
=======
import shutil
from dataclasses import dataclass

from grader.sandbox import why_missing
from hub_config import assets, cgroup
from hub_config.models.catalogue import catalogue
from hub_config.models.choice import wanted
from hub_config.models.files import is_there
from hub_config.quick.join import why_not
from hub_config.settings import Settings
from labs.catalog import broken_packs, packs
from labs.texts import Text, UserError


@dataclass(frozen=True)
class Finding:
    part: str
    ok: bool
    said: Text


def examine(settings: Settings) -> list[Finding]:
    """Look at every part."""
    return [_sandbox(), *_quick(settings), _limits(), _assets(), _packs(), _model(settings), _disk(settings)]


def _sandbox() -> Finding:
    why = why_missing()
    if why is None:
        return Finding("sandbox", True, Text(ko="격리 환경이 작동합니다.", en="the sandbox works"))
    return Finding(
        "sandbox",
        False,
        Text(ko=f"격리 환경이 없어 실습 서버와 채점을 거절합니다: {why}", en=f"servers and grading are refused: {why}"),
    )


def _quick(settings: Settings) -> list[Finding]:
    if settings.spawner != "quick":
        return []
    why = why_not()
    if why is None:
        return [Finding("servers", True, Text(ko="실습 서버가 바로 시작됩니다.", en="servers start quickly"))]
    said = Text(
        ko=f"실습 서버가 느리게 시작됩니다(격리는 같습니다): {why}",
        en=f"servers start slowly, as isolated as ever: {why}",
    )
    return [Finding("servers", False, said)]


def _limits() -> Finding:
    why = cgroup.why_not()
    if why is None:
        return Finding(
            "limits", True, Text(ko="실습 서버마다 메모리·프로세스 한도가 걸립니다.", en="each server's limits hold")
        )
    # A container or a desktop often has none: it is said, and is no fault.
    said = Text(
        ko=f"서버 전체의 한도를 걸 수 없어 프로세스마다 겁니다(제어 그룹 없음): {why}",
        en=f"limits hold for single processes only: {why}",
    )
    return Finding("limits", True, said)


def _assets() -> Finding:
    try:
        return Finding(
            "assets",
            True,
            Text(ko=f"프록시와 글꼴: {assets.node_modules()}", en=f"proxy and fonts: {assets.node_modules()}"),
        )
    except UserError as error:
        return Finding("assets", False, error.text)


def _packs() -> Finding:
    if broken := broken_packs():
        said = "; ".join(broken.values())
        return Finding(
            "packs", False, Text(ko=f"읽을 수 없는 실습 꾸러미: {said}", en=f"packs that cannot be read: {said}")
        )
    names = ", ".join(packs())
    return Finding("packs", True, Text(ko=f"실습 꾸러미: {names}", en=f"profession packs: {names}"))


def _model(settings: Settings) -> Finding:
    models, names = catalogue().models, wanted(settings)
    missing = [name for name in names if name not in models or not is_there(models[name], settings.models_folder)]
    if missing:
        todo = "; ".join(f"practicum model fetch {name}" for name in missing)
        said = ", ".join(missing)
        return Finding("model", False, Text(ko=f"{said} 없음: {todo}", en=f"{said} missing: {todo}"))
    here = ", ".join([*names, *settings.providers])
    return Finding("model", True, Text(ko=f"{here} 준비됨", en=f"{here}: here"))


def _disk(settings: Settings) -> Finding:
    folder = settings.data if settings.data.exists() else settings.data.parent
    free = shutil.disk_usage(folder).free / 1e9
    return Finding("disk", free > 2, Text(ko=f"{free:.1f}GB 남음", en=f"{free:.1f} GB free"))
>>>>>>> /tmp/tmpkcxnnjdv/theirs
