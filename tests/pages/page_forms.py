"""The forms of a page as a browser reads them: where each is sent, its controls, and what they say is wrong."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

CONTROLS = ("input", "select", "textarea", "button")
TYPED = ("text", "email", "password", "number", "date", "search", "textarea")
"""Controls into which people write."""


@dataclass
class Control:
    """``value`` is what is sent; ``choices`` are those of a select or of radio buttons and boxes of one name."""

    tag: str
    attributes: dict[str, str]
    value: str = ""
    choices: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.attributes.get("name", "")

    @property
    def kind(self) -> str:
        return self.attributes.get("type", "text") if self.tag == "input" else self.tag

    @property
    def is_typed(self) -> bool:
        return self.kind in TYPED

    @property
    def is_number(self) -> bool:
        return self.kind in ("number", "date") or self.attributes.get("inputmode") in ("decimal", "numeric")

    @property
    def is_required(self) -> bool:
        return "required" in self.attributes


@dataclass
class PageForm:
    """A form of a page; ``path`` is where it is sent."""

    method: str
    path: str
    controls: dict[str, Control] = field(default_factory=dict)

    @property
    def sent(self) -> dict[str, str]:
        """What a browser sends when nothing is written; buttons are left out."""
        return {name: control.value for name, control in self.controls.items() if control.tag != "button"}

    @property
    def mark(self) -> tuple[str, str, str]:
        """What tells it from the other forms of the site, whichever row it stands beside."""
        hidden = [control.value for control in self.controls.values() if control.name == "form"]
        return (self.method, " ".join(sorted(self.controls)), " ".join(hidden))


class PageReader(HTMLParser):
    """Reads ``forms``, and ``texts``: the id of each element → the text inside it."""

    def __init__(self, html: str, path: str) -> None:
        super().__init__()
        self.forms: list[PageForm] = []
        self.texts: dict[str, str] = {}
        self._path, self._open = path, []
        self._by_id: dict[str, PageForm] = {}
        self._form: PageForm | None = None
        self._group = ""
        self._control: Control | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            where = urlsplit(urljoin(self._path, attributes.get("action") or self._path)).path
            self._form = PageForm(attributes.get("method", "get").lower(), where)
            self.forms.append(self._form)
            self._by_id[attributes.get("id", "")] = self._form
        elif tag == "fieldset":
            self._group = attributes.get("aria-describedby", "")
        elif tag in CONTROLS:
            self._read_control(tag, attributes)
        elif tag == "option" and self._control:
            self._control.choices.append(attributes.get("value", ""))
            if "selected" in attributes or len(self._control.choices) == 1:
                self._control.value = attributes.get("value", "")
        if tag not in ("input", "img", "link", "meta", "br", "hr", "path", "circle", "rect", "line"):
            self._open.append((tag, attributes.get("id", "")))
            if identity := attributes.get("id"):
                self.texts[identity] = ""

    def _read_control(self, tag: str, attributes: dict[str, str]) -> None:
        if self._group:  # describes all of its boxes at once
            attributes["aria-describedby"] = self._group
        self._control = found = Control(tag, attributes, attributes.get("value", ""))
        form = self._by_id.get(attributes["form"]) if "form" in attributes else self._form
        if form is None or not found.name:
            return
        if found.kind in ("radio", "checkbox"):
            known = form.controls.setdefault(found.name, found)
            known.choices.append(found.value or "on")
            if known is found:
                found.value = ""
            if "checked" in attributes:
                known.value = attributes.get("value", "on")
        elif found.kind not in ("submit", "file") or tag == "button":
            form.controls.setdefault(found.name, found)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        if tag == "fieldset":
            self._group = ""
        if tag in ("select", "textarea"):
            if tag == "textarea" and self._control:
                # Browsers leave out the line break behind the tag, and send others as two characters.
                self._control.value = self._control.value.removeprefix("\n")
            self._control = None
        while self._open:
            if self._open.pop()[0] == tag:
                break

    def handle_data(self, data: str) -> None:
        if self._control and self._control.tag == "textarea":
            self._control.value += data
        for _, identity in self._open:
            if identity:
                self.texts[identity] += data

    def explain(self, control: Control) -> str:
        """Return what stands beside the control for whoever can't see it: the texts its description names."""
        named = control.attributes.get("aria-describedby", "").split()
        return " ".join(" ".join(self.texts.get(identity, "").split()) for identity in named)

    def find(self, form: PageForm) -> PageForm | None:
        return next((found for found in self.forms if found.mark == form.mark), None)


def changing_forms(reader: PageReader) -> Iterator[PageForm]:
    """Yield the forms that change something."""
    return (form for form in reader.forms if form.method == "post")
