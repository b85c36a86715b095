"""What a page weighs without fonts, and when its largest part is painted, in a Chromium that has nothing of it yet."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from statistics import median
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
WATCH = """
window.__painted = 0;
new PerformanceObserver(list => { for (const e of list.getEntries()) window.__painted = e.startTime; })
  .observe({ type: 'largest-contentful-paint', buffered: true });
"""
#: After the fonts, and two frames: what is painted until then counts.
SETTLED = """
async () => {
  await document.fonts.ready;
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  await new Promise(done => setTimeout(done, 100));
  const loaded = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
  const counted = loaded.filter(e => !/\\.woff2/.test(e.name) && e.initiatorType !== 'video');
  return { bytes: counted.reduce((sum, e) => sum + e.encodedBodySize, 0), painted: window.__painted };
}
"""
TIMES = 3


def chromium() -> str:
    """Chromium, as the machine has it."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        raise SystemExit("Chromium is missing: tests/install_programs.sh")
    return found


async def look(
    url: str, asked: Sequence[tuple[str, str, dict[str, str]]], times: int = TIMES
) -> dict[str, dict[str, float]]:
    """Open pages (name, address, cookies): bytes of each, and the median of its largest contentful paint."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        try:
            # The first page of a browser also starts its processes.
            await _open(browser, url, *asked[0][1:])
            found = {name: [await _open(browser, url, *more) for _ in range(times)] for name, *more in asked}
        finally:
            await browser.close()
    return {
        name: {"weight_kb": round(max(one["bytes"] for one in looks) / 1000, 1), "lcp_ms": round(median(one["painted"] for one in looks))}
        for name, looks in found.items()
    }  # fmt: skip


async def _open(browser: Browser, url: str, at: str, cookies: dict[str, str]) -> dict[str, Any]:
    context = await _context(browser, url, cookies)
    try:
        page = await context.new_page()
        answer = await page.goto(url + at, wait_until="load")
        if answer is None or answer.status != 200:
            raise SystemExit(f"{at}: {answer and answer.status}")
        found: dict[str, Any] = await page.evaluate(SETTLED)
        return found
    finally:
        await context.close()


async def _context(browser: Browser, url: str, cookies: dict[str, str]) -> BrowserContext:
    context = await browser.new_context(viewport={"width": 1280, "height": 900}, locale="ko-KR")
    await context.add_init_script(WATCH)
    await context.add_cookies([{"name": name, "value": value, "url": url + "/"} for name, value in cookies.items()])
    return context


async def notebook_seconds(url: str, at: str, login: str, password: str) -> float:
    """From going to a lab's address to a notebook that stands in a browser, where the server runs already."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        try:
            page = await (await _context(browser, url, {})).new_page()
            await page.goto(url)
            await page.fill("#username_input", login)
            await page.fill("#password_input", password)
            await page.click("#login_submit")
            await page.wait_for_url("**/services/portal/**")
            return await _notebook(page, url + at)
        finally:
            await browser.close()


async def _notebook(page: Page, address: str) -> float:
    began = asyncio.get_running_loop().time()
    await page.goto(address)
    await page.locator(".jp-Notebook").wait_for(timeout=120_000)
    return asyncio.get_running_loop().time() - began
