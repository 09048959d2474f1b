"""A person without a mouse: moves by Tab, and must see at every step where they are."""

from playwright.sync_api import Page

MOST_STEPS = 80
FOCUSED = """
() => {
  const here = document.activeElement;
  const names = [here.getAttribute("aria-label"), here.labels?.[0]?.textContent, here.textContent, here.value];
  const name = (names.find((text) => text?.trim()) || "").trim().replace(/\\s+/g, " ");
  const box = here.getBoundingClientRect();
  const inside = box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight;
  const shows = [here, here.closest("label")].some((part) => {
    const style = part && getComputedStyle(part);
    return style && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
  });
  const problem = inside ? (shows ? "" : "shows no focus") : "is out of sight";
  return {tag: here.tagName.toLowerCase(), name, problem};
}
"""


class Keyboard:
    """The keyboard in front of one page; collects where the focus could not be seen."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.unseen: set[str] = set()

    def go_to(self, name: str, tag: str = "") -> None:
        """Press Tab until what is called ``name`` has the focus."""
        found = self.page.evaluate(FOCUSED)
        for _ in range(MOST_STEPS):
            if found["name"].startswith(name) and tag in ("", found["tag"]):
                return
            self.page.keyboard.press("Tab")
            found = self.page.evaluate(FOCUSED)
            if found["problem"] and found["tag"] != "body":
                self.unseen.add(f"{self.page.url}: {found['tag']} {found['name'][:40]!r} {found['problem']}")
        raise AssertionError(f"Tab never comes to {name!r} on {self.page.url}")

    def press(self, name: str, tag: str = "", *, leads: bool = True) -> None:
        """Go to a button or link and press it; wait for the page to which it leads."""
        self.go_to(name, tag)
        if not leads:
            self.page.keyboard.press("Enter")
            return
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def write(self, label: str, text: str) -> None:
        """Go to a field and write into it."""
        self.go_to(label)
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(text)
