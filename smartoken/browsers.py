"""What a browser is called, from what it says of itself."""

import re

BROWSERS = {
    "Edg": "Edge",
    "OPR": "Opera",
    "SamsungBrowser": "Samsung Internet",
    "Firefox": "Firefox",
    "FxiOS": "Firefox",
    "CriOS": "Chrome",
    "HeadlessChrome": "Chrome",
    "Chrome": "Chrome",
    "Version": "Safari",
}
"""What a browser calls itself → its name. The first that is there counts: each names its ancestors too."""
SYSTEMS = ("iPhone", "iPad", "Android", "Windows", "Macintosh", "CrOS", "Linux")
SYSTEM_NAMES = {"Macintosh": "macOS", "CrOS": "ChromeOS"}


def name_browser(agent: str) -> str:
    """Name the browser of a User-Agent, e.g. ``Firefox 140 on Linux``; others as they call themselves."""
    marks = re.findall(r"([A-Za-z]+)/(\d+)", agent)
    versions = {mark: version for mark, version in marks if mark in BROWSERS}
    found = next((mark for mark in BROWSERS if mark in versions), None)
    if found is None or not agent.startswith("Mozilla/"):
        return agent[:60] or "not known"
    system = next((name for name in SYSTEMS if name in agent), "")
    return f"{BROWSERS[found]} {versions[found]}" + (f" on {SYSTEM_NAMES.get(system, system)}" if system else "")
