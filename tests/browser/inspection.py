"""What a test looks at on a page: width, accessibility, requests, shifts of the layout, and pictures of it."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Page

HERE = Path(__file__).resolve().parent
PICTURES = HERE.parents[1] / "build" / "pictures"
THEMES = ("light", "dark")
MOST_REQUESTS = 8
MOST_SHIFT = 0.01

WATCH = """
window.watched = {shift: 0, blocked: []};
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) watched.shift += entry.value;
}).observe({type: "layout-shift", buffered: true});
addEventListener("securitypolicyviolation", (event) => watched.blocked.push(event.violatedDirective));
"""
AXE = """
async () => (await axe.run({resultTypes: ["violations"]})).violations.map(
  (found) => `${found.id}: ${found.nodes.map((node) => node.target.join(" ")).slice(0, 3).join(" | ")}`)
"""
WIDER = """
() => [...document.querySelectorAll("body *")]
  .filter((found) => found.getBoundingClientRect().right > innerWidth + 1)
  .filter((found) => !found.closest(".scroll, pre, .side, .tab-bar, .subnav"))
  .slice(0, 3).map((found) => found.className || found.tagName)
"""


class Inspector:
    """Opens pages in one browser's tab and collects what is wrong with them, in words."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        context.add_init_script(path=HERE / "axe-core" / "axe.min.js")
        context.add_init_script(WATCH)
        self.host = urlsplit(address).netloc
        self.page: Page = context.new_page()
        self.page.set_default_timeout(15_000)
        self._requests: list[str] = []
        self._said: list[str] = []
        self.page.on("request", lambda request: self._requests.append(request.url))
        self.page.on("pageerror", lambda error: self._said.append(str(error)))
        self.page.on("console", lambda said: said.type == "error" and self._said.append(said.text))

    def inspect(self, name: str, path: str, *, status: int = 200) -> list[str]:
        """Return what is wrong with the page, each with the width and the theme at which it shows."""
        found = [f"{name} {place}: {wrong}" for place, wrong in self._look(name, path, status)]
        return list(dict.fromkeys(found))

    def find_barriers(self, path: str) -> list[str]:
        """Return what axe finds on a page on a wide screen, in both themes."""
        self._resize(1440)
        found: list[str] = []
        for theme in THEMES:
            self.page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            self.page.goto(path)
            found += [f"{theme}: {violation}" for violation in self.page.evaluate(AXE)]
        return found

    def measure(self, path: str, width: int) -> str:
        """Return what is wider than the screen on a page, or nothing."""
        self._resize(width)
        self.page.goto(path)
        wide = self.page.evaluate("document.documentElement.scrollWidth") > width
        return f"{path} {width} scrolls sideways: {self.page.evaluate(WIDER)}" if wide else ""

    def _look(self, name: str, path: str, status: int) -> Iterator[tuple[str, str]]:
        yield from self._open(path, 360, status)
        yield from self._fit(name, 360, themes_with_axe=("light",))
        self._resize(768)
        yield from self._fit(name, 768, themes_with_axe=())
        yield from self._open(path, 1440, status)
        yield from self._fit(name, 1440, themes_with_axe=THEMES)

    def _resize(self, width: int) -> None:
        self.page.set_viewport_size({"width": width, "height": 900})

    def _open(self, path: str, width: int, status: int) -> Iterator[tuple[str, str]]:
        self._resize(width)
        self.page.emulate_media(color_scheme="light")
        self._requests.clear()
        self._said.clear()
        response = self.page.goto(path, wait_until="load")
        self.page.evaluate("document.fonts.ready.then(() => null)")
        place = str(width)
        if response is None or response.status != status:
            yield place, f"status {response and response.status}"
        own = [url for url in self._requests if not url.startswith("data:")]
        if others := [url for url in own if urlsplit(url).netloc != self.host]:
            yield place, f"asks other hosts: {others}"
        if len(own) > MOST_REQUESTS:
            yield place, f"{len(own)} requests: {[urlsplit(url).path for url in own]}"
        watched = self.page.evaluate("watched")
        if watched["shift"] > MOST_SHIFT:
            yield place, f"the layout shifts by {watched['shift']:.3f}"
        for directive in watched["blocked"]:
            yield place, f"the policy blocks {directive}"
        expected = "" if status == 200 else f"the server responded with a status of {status}"
        for said in self._said:
            if not expected or expected not in said:
                yield place, said

    def _fit(self, name: str, width: int, *, themes_with_axe: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        for theme in THEMES:
            self.page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            place = f"{width} {theme}"
            if self.page.evaluate("document.documentElement.scrollWidth") > width:
                yield place, f"scrolls sideways: {self.page.evaluate(WIDER)}"
            if theme in themes_with_axe:
                for violation in self.page.evaluate(AXE):
                    yield place, violation
            self.page.screenshot(path=PICTURES / f"{name}-{width}-{theme}.png", full_page=True, animations="disabled")
