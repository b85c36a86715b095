"""Every page in every role, wide and narrow, light and dark, Korean and English, in a real browser.

The pages come from `tests/support/portal_routes.py`, which has a line for every route. Screenshots go to `var/shots/`: look at them.
"""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest
from babel.messages.pofile import read_po
from playwright.sync_api import Browser, Page
from portal_full import DONE_COURSE, fill
from portal_routes import GETS, ROLES, Line, address
from serving import served
from sqlalchemy import update
from test_portal_world import PEOPLE, PREFIX, World, seeded_records

from grader.records.db import writing
from grader.records.models import CourseLab
from hub_config.assets import node_modules
from hub_config.portal.i18n import CATALOGUES
from hub_config.portal.security import Session
from hub_config.portal.site import SESSION_COOKIE

pytestmark = pytest.mark.browser
ROOT = Path(__file__).resolve().parents[2]
SHOTS = ROOT / "var" / "shots"
MOST_SHIFT, MOST_KB = 0.02, 150
AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
WHOLE: dict[str, Any] = {"runOnly": {"type": "tag", "values": AA}, "resultTypes": ["violations"]}
#: A theme changes nothing but colours, and a width what can be hit and what scrolls.
COLOURS: dict[str, Any] = {"runOnly": ["color-contrast"], "resultTypes": ["violations"]}


#: Korean that stands in the records of the played world, and the sign of an excused day in the official attendance sheet.
DATA = re.compile(
    "김미나|김○나|이준|이브|출석부 확인|내일은 헤드폰을 가져오세요|내일은 302호에서 합니다|30[12]호|훈련생번호|훈련상태|훈련중|퇴소일|이름|녹음에서는 12년이라고 말합니다|공(?= excused)"
)


@dataclass(frozen=True)
class View:
    """How a page is looked at: what axe-core judges there in which language, and in which it is photographed."""

    width: int
    theme: Literal["light", "dark"]
    shots: tuple[str, ...] = ()
    rules: dict[str, dict[str, Any]] = field(default_factory=dict)


VIEWS = (
    View(1440, "light", ("ko",), {"ko": WHOLE}),
    View(1440, "dark", ("en",), {"ko": COLOURS, "en": COLOURS}),
    View(768, "dark"),
    View(360, "dark", ("ko",), {"ko": COLOURS}),
    View(360, "light", ("en",), {"ko": WHOLE, "en": WHOLE}),
)
#: What each run of the tests looks at; the other views are looked at in `make test-long`.
FEW = tuple(view for view in VIEWS if "ko" in view.rules and view.rules["ko"] is WHOLE)
#: Watches from the first moment on: what moved without a person's doing, and what the content policy stopped.
WATCH = """
window.__shift = 0; window.__moved = []; window.__stopped = [];
const named = node => node ? (node.id && `#${node.id}`) || (node.className && `.${node.className}`) || node.nodeName : 'gone';
const box = r => [r.x, r.y, r.width, r.height].map(Math.round).join(' ');
new PerformanceObserver(list => {
  for (const e of list.getEntries()) if (!e.hadRecentInput) {
    window.__shift += e.value;
    window.__moved.push(...e.sources.map(s => `${named(s.node)} [${box(s.previousRect)}] to [${box(s.currentRect)}]`));
  }
}).observe({ type: 'layout-shift', buffered: true });
document.addEventListener('securitypolicyviolation', e => window.__stopped.push(`${e.violatedDirective} ${e.blockedURI}`));
"""
#: Waits for the fonts; then the shift, the bytes without fonts, and the text that people read or hear without what is data:
#: names, titles, reasons, code, what others wrote.
SETTLED = """
async () => {
  await document.fonts.ready;
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  const loaded = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
  const bytes = loaded.filter(e => !/\\.woff2/.test(e.name) && e.initiatorType !== 'video').reduce((sum, e) => sum + e.encodedBodySize, 0);
  const data = 'script, style, code, pre, blockquote, bdi, .data, .who, .lang, .where, option, textarea, .sheet, .finding, .comment, .diff, [lang]:not(html)';
  const said = [document.title];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let n = walker.nextNode(); n; n = walker.nextNode())
    if (n.textContent.trim() && !n.parentElement.closest(data)) said.push(n.textContent.trim());
  for (const e of document.querySelectorAll('[aria-label], [placeholder], [title], [alt]'))
    for (const a of ['aria-label', 'placeholder', 'title', 'alt']) if (e.getAttribute(a)) said.push(e.getAttribute(a).trim());
  return { shift: window.__shift, moved: window.__moved, bytes, said };
}
"""
LOOKED = """
async (rules) => {
  const wider = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  const out = [...document.querySelectorAll('main input, main select, main textarea, main button, main .button, main img, main p, main dl')]
    .filter(e => e.offsetParent && !e.closest('.scroll, .hidden, .month') && e.closest('.card'))
    .filter(e => e.getBoundingClientRect().right > e.closest('.card').getBoundingClientRect().right + 1)
    .map(e => e.outerHTML.slice(0, 120));
  // A table's heads that stand before its cells on a narrow screen: none reaches into the next row.
  for (const e of document.querySelectorAll('[data-label]'))
    if (parseFloat(getComputedStyle(e, '::before').height) > e.clientHeight) out.push(`label: ${e.dataset.label}`);
  // And such a table is as wide as the screen: nothing of it is cut off.
  for (const e of document.querySelectorAll('.scroll:has([data-label])'))
    if (innerWidth < 640 && e.scrollWidth > e.clientWidth) out.push(`wider by ${e.scrollWidth - e.clientWidth}: ${e.getAttribute('aria-label')}`);
  const told = rules ? (await axe.run(document, rules)).violations : [];
  const violations = told.map(v => ({ id: v.id, help: v.help, nodes: v.nodes.slice(0, 3).map(n => `${n.target} ${n.html.slice(0, 160)}`) }));
  return { wider, out, violations };
}
"""


def _shown_to(role: str | None, line: Line) -> bool:
    """A page that everybody sees is looked at once, as somebody without a login sees it; one of several learners once, and
    who is both instructor and office what each of them sees."""
    if None in line.who:
        return line.page and role is None
    return line.page and role in line.who and role not in ("eve", "both")


@dataclass
class Portal:
    """The served world; who opens what in it."""

    world: World
    url: str
    filled: dict[str, str]

    def cookies(self, role: str | None, lang: str) -> list[Any]:
        found = [{"name": "practicum-lang", "value": lang, "url": self.url + PREFIX}]
        if role:
            sealed = self.world.site.seals.seal(Session(f"token-{role}", f"session-{role}"))
            found.append({"name": SESSION_COOKIE, "value": sealed, "url": self.url + PREFIX})
        return found


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory, seeded_records: Path) -> Iterator[Portal]:
    folder, known = tmp_path_factory.mktemp("walk"), dict(PEOPLE)
    PEOPLE.update(ROLES)
    world = World(folder, Path(shutil.copy(seeded_records, folder / "records.sqlite")))
    with served(world) as url:
        world.site.public_limiter.allows = lambda _: True  # type: ignore[method-assign]
        filled = fill(world)
        with writing(world.engine) as session:
            long = {
                "title_ko": "랜딩 페이지 와이어프레임과 사용성 점검",
                "title_en": "A landing page wireframe and its usability",
            }
            session.execute(update(CourseLab).where(CourseLab.lab_id == "extra").values(long))
        yield Portal(world, url, filled)
    PEOPLE.clear()
    PEOPLE.update(known)
    world.engine.dispose()


@dataclass
class Walker:
    """One browser of one role and language that goes from page to page, and what it found wrong."""

    page: Page
    lang: str
    own: str
    views: tuple[View, ...] = VIEWS
    name: str = ""
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda m: m.type in ("error", "warning") and self.found("console", m.text))
        self.page.on("pageerror", lambda error: self.found("script", error))
        self.page.on(
            "request", lambda r: self.found("asks outside", not r.url.startswith((self.own, "data:")) and r.url)
        )

    def found(self, where: str, what: object) -> None:
        if what:
            self.wrong.append(f"{self.name} {self.lang} {where}: {what}")

    def go(self, name: str, at: str, gives: int) -> None:
        """Open a page, and look at it in the widths and themes of this language."""
        self.name = name
        self.page.set_viewport_size({"width": VIEWS[0].width, "height": 900})
        answer = self.page.goto(self.own + at, wait_until="load")
        assert answer is not None
        self.found("status", answer.status != gives and answer.status)
        self.look()

    def look(self) -> None:
        """Look at the page that stands."""
        told = self.page.evaluate(SETTLED)
        self.found("moves", told["shift"] > MOST_SHIFT and f"layout shift {told['shift']:.3f}: {told['moved']}")
        self.found("weighs", told["bytes"] > MOST_KB * 1000 and f"{told['bytes'] / 1000:.0f} KB without fonts")
        self.found("text", _untranslated(told["said"], self.lang))
        # Through the debugger, which the page's content policy does not concern.
        self.page.evaluate(_axe())
        for view in self.views:
            self._view(view)
        self._paper()
        self.found("policy", self.page.evaluate("window.__stopped"))

    def _paper(self) -> None:
        """Look whether what is folded on the screen and belongs on paper is printed."""
        self.page.emulate_media(media="print")
        folded = self.page.locator(".onpaper > :not(summary)")
        self.found("on paper", folded.count() and not folded.first.is_visible() and "what is folded is left out")
        self.page.emulate_media(media="screen")

    def _view(self, view: View) -> None:
        self.page.set_viewport_size({"width": view.width, "height": 900})
        self.page.emulate_media(color_scheme=view.theme)
        where = f"{view.width} px {view.theme}"
        told = self.page.evaluate(LOOKED, view.rules.get(self.lang))
        self.found(where, told["wider"] > 0 and f"{told['wider']} px too wide")
        self.found(where, told["out"] and f"out of its card: {told['out']}")
        for violation in told["violations"]:
            self.found(where, f"{violation['id']} ({violation['help']}): {violation['nodes']}")
        if self.lang in view.shots:
            self.page.screenshot(path=SHOTS / self.lang / f"{self.name}-{view.width}-{view.theme}.png", full_page=True)


@pytest.mark.parametrize(
    ("lang", "views"),
    [
        pytest.param("ko", FEW, id="ko"),
        *(pytest.param(lang, VIEWS, marks=pytest.mark.long, id=f"{lang}-every-view") for lang in ("ko", "en")),
    ],
)
@pytest.mark.parametrize(
    "role", [role for role in (*ROLES, None) if any(_shown_to(role, line) for line in GETS.values())]
)
def test_each_page_of_a_role(
    portal: Portal, browser: Browser, role: str | None, lang: str, views: tuple[View, ...]
) -> None:
    """One navigation for a page, role and language; widths and themes are changed on the page that stands."""
    context = browser.new_context(color_scheme="light", reduced_motion="reduce")
    context.add_init_script(WATCH)
    context.add_cookies(portal.cookies(role, lang))
    walker = Walker(context.new_page(), lang, portal.url, views)
    for path, line in GETS.items():
        if _shown_to(role, line):
            name = f"{role or 'anybody'}-{re.sub(r'[{}]', '', path).replace('/', '-')}"
            walker.go(name, address(path, line, portal.filled), line.gives)
    if role == "office":  # in the course run that is over everybody has met something
        walker.go("office-decisions-over", f"{PREFIX}office/hanbit/{DONE_COURSE}", 200)
        assert walker.page.locator(".onpaper").count(), "what is printed though it is folded was not looked at"
    context.close()
    assert not walker.wrong, f"{len(walker.wrong)} findings:\n" + "\n".join(walker.wrong)


@pytest.mark.parametrize("width", [1024, 1440, 1920])
def test_the_class_code_does_not_move_when_the_picture_beside_it_comes(
    portal: Portal, browser: Browser, width: int
) -> None:
    """A slow network paints the code before the rest of the page is there."""
    path = next(path for path in GETS if path.endswith("class/{course}/code"))
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.context.add_cookies(portal.cookies("teacher", "ko"))
    page.goto(portal.url + address(path, GETS[path], portal.filled))
    # Within one turn of the script, so that no new code comes between.
    whole, early = page.evaluate(
        """() => {
          const place = () => { const box = document.querySelector('.code').getBoundingClientRect(); return [box.x, box.y]; };
          const whole = place();
          document.querySelector('.scan').remove();
          return [whole, place()];
        }"""
    )
    page.context.close()
    assert whole == pytest.approx(early, abs=4)


@pytest.mark.parametrize("page_of", ["class/{course}", "class/{course}/code"])
def test_a_wide_page_does_not_jump_while_it_comes_slowly(portal: Portal, browser: Browser, page_of: str) -> None:
    """How wide it is was once told by its table or its code: it was painted narrow until they came."""
    path = next(path for path in GETS if path.endswith(page_of))
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.add_init_script(WATCH)
    context.add_cookies(portal.cookies("teacher", "ko"))
    page, at = context.new_page(), portal.url + address(path, GETS[path], portal.filled)
    page.goto(at)  # style and fonts are there from now on
    slow = {"offline": False, "latency": 30, "downloadThroughput": 8_000, "uploadThroughput": 50_000}
    context.new_cdp_session(page).send("Network.emulateNetworkConditions", slow)
    page.goto(at, wait_until="load")
    told = page.evaluate("[window.__shift, window.__moved]")
    context.close()
    assert told[0] < 0.05, told[1]


@cache
def _axe() -> str:
    return (node_modules() / "axe-core" / "axe.min.js").read_text("utf-8")


def _untranslated(said: list[str], lang: str) -> list[str]:
    if lang == "en":
        return [text for text in said if re.search("[가-힣]", DATA.sub("", text))]
    return [text for text in said if text in _english()]


@cache
def _english() -> frozenset[str]:
    """The catalogue's English texts that are more than a name or a sign."""
    with (CATALOGUES / "ko" / "LC_MESSAGES" / "portal.po").open("rb") as stream:
        ids = [m.id[0] if isinstance(m.id, tuple) else m.id for m in read_po(stream)]
    return frozenset(text for text in ids if re.search("[a-z]{3}", text))
