"""The pages of AI use over the real gateway: what it writes is what they show, and what it refuses they do not."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import gateway_support
import httpx
import pytest
from test_portal_world import COURSE, OTHER, PREFIX, World, seeded_records, world

GROUPS = {
    "mina": [f"nbgrader-{COURSE}"], "jun": [f"nbgrader-{COURSE}"], "teacher": [f"formgrade-{COURSE}"],
    "office": ["institution-hanbit"], "stranger": [f"nbgrader-{OTHER}"],
}  # fmt: skip


async def test_the_pages_show_what_the_real_gateway_writes(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for login, groups in GROUPS.items():
        user = {"kind": "user", "name": login, "groups": groups}
        monkeypatch.setitem(gateway_support.USERS, f"token-{login}", user)
    async with gateway_support.world(tmp_path / "ai", institution="hanbit") as ai:
        with httpx.Client(trust_env=False) as client:

            def pass_on(request: httpx.Request) -> httpx.Response:
                asked = client.build_request(
                    request.method,
                    ai.url + request.url.raw_path.decode(),
                    headers=_own(request),
                    content=request.read(),
                )
                answer = client.send(asked)
                return httpx.Response(answer.status_code, content=answer.content)

            world.answer = pass_on

            async def page(login: str, path: str) -> str:
                answer = await asyncio.to_thread(world.browser(login).get, PREFIX + path)
                assert answer.status_code == 200, (path, answer.text)
                assert "지금은 AI 사용 기록을 불러올 수 없습니다." not in answer.text, path
                return answer.text

            for _ in range(30):
                done = await ai.chat(token="token-mina", where=f"/{COURSE}/rough-cut")
                assert done.status == 200, done.text
            receipt = done.json()["id"]
            mine = await page("mina", f"learn/{COURSE}/ai")
            assert mine.count("/receipts/rcpt_") == 25
            assert receipt in mine
            assert "700원" in mine, "of 1,000 won, 30 calls of ten won each are spent"
            older = mine.partition("?before=")[2].partition('"')[0]
            assert (await page("mina", f"learn/{COURSE}/ai?before={older}")).count("/receipts/rcpt_") == 5
            call = await page("mina", f"learn/{COURSE}/ai/receipts/{receipt}")
            assert "안녕, Hello" in call
            assert '<pre dir="auto">hi</pre>' in call
            assert "700원" in await page("mina", f"learn/{COURSE}")
            stranger = await asyncio.to_thread(
                world.browser("jun").get, f"{PREFIX}learn/{COURSE}/ai/receipts/{receipt}"
            )
            assert stranger.status_code == 404

            spending = await page("teacher", f"class/{COURSE}/ai")
            assert "김미나" in spending
            assert "300원" in spending
            assert receipt in await page("teacher", f"class/{COURSE}/ai/receipts?learner=mina&lab=rough-cut")
            assert receipt not in await page("teacher", f"class/{COURSE}/ai/receipts?learner=jun")
            assert "안녕, Hello" in await page("teacher", f"class/{COURSE}/ai/receipts/{receipt}")
            assert (await page("teacher", f"class/{COURSE}/ai/receipts.csv")).count("rcpt_") == 30
            assert ">30<" in await page("teacher", f"class/{COURSE}")

            await asyncio.to_thread(
                world.post, world.browser("teacher"), f"class/{COURSE}/ai/switch", "teacher", to="off"
            )
            assert (await ai.chat(token="token-mina", where=f"/{COURSE}/rough-cut")).error["code"] == "ai_off"
            assert "중지: teacher" in await page("teacher", f"class/{COURSE}")
            assert "AI를 사용할 수 없습니다" in await page("mina", f"learn/{COURSE}")

            use = await page("office", "office/hanbit/ai/use")
            for told in ("300원", "영상 편집 과정", "김미나", "built-in", "정상"):
                assert told in use, told
            file = await page("office", "office/hanbit/ai/receipts.csv")
            assert file.count("rcpt_") >= 30

            # Another institution's course uses the same gateway, which would tell this office of it too.
            assert (await ai.chat(token="token-stranger", where=f"/{OTHER}/-")).status == 200
            assert {row["course"] for row in await ai.receipts("", "token-office")} == {COURSE, OTHER}
            for path in ("use", "receipts.csv"):
                told = await page("office", f"office/hanbit/ai/{path}")
                assert "mina" in told
                assert "stranger" not in told
                assert OTHER not in told


def _own(request: httpx.Request) -> dict[str, Any]:
    """What the portal says itself; the client adds the host and the length."""
    return {name: value for name, value in request.headers.items() if name in ("authorization", "content-type")}
