"""The machine: sandbox, npm packages, profession packs, models, disk. The rule: looking changes nothing."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

from grader.sandbox import why_missing
from hub_config import assets, cgroup
from hub_config.health.finding import Finding, State
from hub_config.models.catalogue import catalogue
from hub_config.models.choice import wanted
from hub_config.models.files import is_there
from hub_config.quick.join import why_not
from hub_config.settings import Settings
from labs.catalog import broken_packs, packs
from labs.texts import Text, UserError

#: GB free: below the first somebody should see to it, below the second work stops soon.
LOW_GB, FULL_GB = 10, 2


def look(settings: Settings) -> list[Finding]:
    """Look at every part of the machine."""
    return [
        _sandbox(),
        *_quick(settings),
        *_cluster(settings),
        _limits(),
        _assets(),
        _packs(),
        _model(settings),
        _disk(settings),
    ]


def _sandbox() -> Finding:
    why = why_missing()
    if why is None:
        return _of("sandbox", "good", "격리 환경이 작동합니다.", "the sandbox works")
    return _of(
        "sandbox",
        "bad",
        f"격리 환경이 없어 실습 서버와 채점을 거절합니다: {why}",
        f"servers and grading are refused: {why}",
    )


def _quick(settings: Settings) -> list[Finding]:
    if settings.spawner != "quick":
        return []
    why = why_not()
    if why is None:
        return [_of("quick", "good", "실습 서버가 바로 시작됩니다.", "servers start quickly")]
    # The sandbox holds as ever, and an old kernel is no fault: it is said, as with the limits.
    return [
        _of(
            "quick",
            "off",
            f"실습 서버가 느리게 시작됩니다(격리는 같습니다): {why}",
            f"servers start slowly, as isolated as ever: {why}",
        )
    ]


def _cluster(settings: Settings) -> list[Finding]:
    if settings.kubernetes is None:
        return []
    if find_spec("kubespawner") is None:
        return [
            Finding(
                "machine", "cluster", "bad",
                Text(ko="쿠버네티스에서 서버를 시작할 프로그램이 없습니다.", en="what starts servers in a cluster is missing"),
                Text(ko="`pip install 'practicum[kubernetes]'`로 설치하세요.", en="install it: `pip install 'practicum[kubernetes]'`"),
            )
        ]  # fmt: skip
    config = Path(os.environ.get("KUBECONFIG", Path.home() / ".kube" / "config"))
    if "KUBERNETES_SERVICE_HOST" not in os.environ and not config.is_file():
        return [
            Finding(
                "machine", "cluster", "bad",
                Text(ko="쿠버네티스 클러스터의 접속 정보가 없습니다.", en="no cluster is known"),
                Text(ko="클러스터 안에서 시작하거나 KUBECONFIG에 접속 정보 파일을 적으세요.",
                     en="start it in a cluster, or name a kubeconfig in KUBECONFIG"),
            )
        ]  # fmt: skip
    cluster = settings.kubernetes
    said = f"{cluster.namespace}, {cluster.image}"
    return [_of("cluster", "good", f"실습 서버를 파드로 시작합니다: {said}", f"servers are pods: {said}")]


def _limits() -> Finding:
    why = cgroup.why_not()
    if why is None:
        return _of("limits", "good", "실습 서버마다 메모리·프로세스 한도가 걸립니다.", "each server's limits hold")
    # A container or a desktop often has none: it is said, and is no fault.
    return _of(
        "limits",
        "off",
        f"서버 전체의 한도를 걸 수 없어 프로세스마다 겁니다(제어 그룹 없음): {why}",
        f"limits hold for single processes only: {why}",
    )


def _assets() -> Finding:
    try:
        found = assets.node_modules()
    except UserError as error:
        return Finding("machine", "assets", "bad", error.text)
    return _of("assets", "good", f"프록시와 글꼴: {found}", f"proxy and fonts: {found}")


def _packs() -> Finding:
    if broken := broken_packs():
        said = "; ".join(broken.values())
        return _of("packs", "bad", f"읽을 수 없는 실습 꾸러미: {said}", f"packs that cannot be read: {said}")
    names = ", ".join(packs())
    return _of("packs", "good", f"실습 꾸러미: {names}", f"profession packs: {names}")


def _model(settings: Settings) -> Finding:
    models, names = catalogue().models, wanted(settings)
    missing = [name for name in names if name not in models or not is_there(models[name], settings.models_folder)]
    if missing:
        todo, said = "; ".join(f"practicum model fetch {name}" for name in missing), ", ".join(missing)
        return Finding(
            "machine", "weights", "bad", Text(ko=f"{said} 없음", en=f"{said} missing"), Text(ko=todo, en=todo)
        )
    here = ", ".join([*names, *settings.providers])
    return _of("weights", "good", f"{here} 준비됨", f"{here}: here")


def _disk(settings: Settings) -> Finding:
    disk = shutil.disk_usage(settings.data if settings.data.exists() else settings.data.parent)
    free, total = disk.free / 1e9, disk.total / 1e9
    state: State = "good" if free > LOW_GB else "todo" if free > FULL_GB else "bad"
    todo = Text(
        ko="디스크를 비우세요: 오래된 로그, 백업, 쓰지 않는 모델",
        en="make room: old logs, backups, models that are not used",
    )
    said = Text(ko=f"{total:.0f}GB 가운데 {free:.1f}GB 남음", en=f"{free:.1f} GB of {total:.0f} GB free")
    return Finding("machine", "disk", state, said, None if state == "good" else todo)


def _of(part: str, state: State, ko: str, en: str) -> Finding:
    return Finding("machine", part, state, Text(ko=ko, en=en))
