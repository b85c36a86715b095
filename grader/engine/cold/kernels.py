"""Which kernel an instructor's notebook wants, and whether the sandbox has it.

The rule: the instructor's source decides, never a submission; a kernel that is not there is named before anything is graded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.sandbox import Sandbox
from labs.texts import UserError

#: Where a kernel's folder is shown inside; Jupyter looks for kernels below it.
JUPYTER = "/jupyter"


class KernelMissing(UserError):
    """A kernel that this machine, or its sandbox, does not have."""


class KernelNotStarted(UserError):
    """A kernel that is there and does not start in the sandbox."""


@dataclass(frozen=True)
class Kernel:
    """A kernel of another language: its name, and the folder of its kernelspec."""

    name: str
    folder: Path

    @property
    def shown(self) -> tuple[Path, str]:
        """What a sandbox shows of it, and where."""
        return self.folder, f"{JUPYTER}/kernels/{self.name}"


def kernel_of(notebook: Mapping[str, Any]) -> Kernel | None:
    """The kernel that executes a source notebook; None where it is Python, which has its own way."""
    metadata = notebook.get("metadata", {})
    spec = metadata.get("kernelspec", {})
    language = str(spec.get("language") or metadata.get("language_info", {}).get("name") or "").lower()
    name = str(spec.get("name") or language)
    if language == "python" or (not language and (not name or name.startswith("python"))):
        return None
    found = _installed(name)
    return None if not language and found.language.lower() == "python" else _usable(name, found)


def not_started(name: str, said: str) -> KernelNotStarted:
    """The error for a kernel that does not start."""
    return KernelNotStarted(
        f"커널 {name}이(가) 격리 환경에서 시작되지 않아 채점하지 않았습니다. 커널 설치를 확인하세요: {said}",
        f"the kernel {name} does not start in the sandbox, so this was not graded; check its installation: {said}",
    )


def _installed(name: str) -> Any:
    # A second of imports, which Python assignments do without.
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        return KernelSpecManager().get_kernel_spec(name)
    except NoSuchKernel:
        raise KernelMissing(
            f"커널 {name}이(가) 이 컴퓨터에 없어 채점하지 않았습니다. 커널을 설치한 뒤 다시 채점하세요(목록: jupyter kernelspec list).",
            f"the kernel {name} is not installed on this machine, so nothing was graded; install it and grade again "
            "(jupyter kernelspec list shows those that are)",
        ) from None


def _usable(name: str, found: Any) -> Kernel:
    """The kernel, where the sandbox has its program: it may stand in a folder that is not shown there."""
    kernel = Kernel(name, Path(found.resource_dir))
    program = found.argv[0].replace("{resource_dir}", kernel.shown[1])
    asked = Sandbox(read_only=[kernel.shown]).run(["/bin/sh", "-c", 'command -v "$0"', program], timeout_seconds=20)
    if asked.returncode != 0:
        raise KernelMissing(
            f"커널 {name}의 프로그램 {program}이(가) 격리 환경에 없어 채점하지 않았습니다. /usr 아래나 이 Python 환경에 설치하세요.",
            f"the kernel {name} runs {program}, which the sandbox does not have, so nothing was graded; install it below "
            "/usr or into this Python environment",
        )
    return kernel
