"""Why a submission could not be graded, as short ids with a text each. The rule: an id, once used, keeps its meaning."""

from __future__ import annotations

from labs.texts import Text

OTHER = "other"
#: In the order in which a summary shows causes of the same count: what the work's maker can mend first, ours last.
CAUSES: dict[str, Text] = {
    "broken_notebook": Text(ko="노트북을 읽을 수 없음", en="the notebook cannot be read"),
    "time_limit": Text(ko="제한 시간 초과", en="over the time limit"),
    "memory_limit": Text(ko="메모리 한도 초과", en="over the memory limit"),
    "process_limit": Text(ko="프로세스 수 한도 초과", en="over the limit of processes"),
    "output_limit": Text(ko="출력량 한도 초과", en="over the limit of output"),
    "cpu_limit": Text(ko="계산 시간 한도 초과", en="over the limit of processor time"),
    "file_limit": Text(ko="파일 크기 한도 초과", en="over the limit of a file's size"),
    "killed": Text(ko="실행이 도중에 강제로 끝남", en="ended by force in the middle"),
    "check_failed": Text(ko="확인 프로그램 오류", en="a check broke"),
    "sandbox_died": Text(ko="격리 환경이 도중에 멈춤", en="the sandbox stopped before its end"),
    OTHER: Text(ko="그 밖의 이유", en="another reason"),
}


def known(cause: str) -> str:
    """The cause where it is one of the table, alone or before a colon; else `other`: a newer or a wrong word still counts."""
    first = cause.partition(":")[0]
    return first if first in CAUSES else OTHER
