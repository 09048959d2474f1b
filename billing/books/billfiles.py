"""A provider's own bill as CSV, read whole or not at all.

A line is a day, a model there, its tokens and cost. Its cost becomes nano-dollars by the
line's rate of exchange, else by the one given, else by the one in force at the end of that day.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation

from django.utils import timezone

from billing import costs, money

MAX_BYTES = 5 * 1024 * 1024
MAX_LINES = 20_000
MAX_TOKENS = 10**15
SHOWN_PROBLEMS = 20

COLUMNS = ("day", "model", "tokens", "cost", "currency")
OPTIONAL = ("rate",)


class BillError(ValueError):
    """A bill that can't be imported; the message names each bad line and column, and nothing was imported."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems[:SHOWN_PROBLEMS])
        if len(problems) > SHOWN_PROBLEMS:
            self.problems.append(f"and {len(problems) - SHOWN_PROBLEMS} more.")
        super().__init__(" ".join(self.problems))


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for lines that don't say it themselves: a currency, and what a unit of it is worth in USD."""

    currency: str = ""
    rate: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A good line of a bill."""

    day: date
    model: str
    tokens: int
    cost: Decimal
    currency: str
    rate: Decimal

    @property
    def cost_nanos(self) -> int:
        return money.to_nanos(self.cost, self.rate)


def read_bill(data: bytes, terms: Terms | None = None) -> list[Line]:
    """Return the lines of a bill. Raises BillError."""
    reader = _open(data)
    columns = _read_header(reader, terms or Terms())
    return _Reading(columns, terms or Terms()).read(reader)


def check_terms(*, currency: str = "", rate: str = "") -> Terms:
    """Return the terms that somebody gave. Raises BillError."""
    if rate and not currency:
        raise BillError(["Give the currency that the rate is of."])
    try:
        code = costs.check_currency(currency) if currency else ""
        worth = costs.check_rate(Decimal(rate)) if rate else None
    except costs.RateError as error:
        raise BillError([str(error)]) from None
    except InvalidOperation:
        raise BillError([f"{rate[:20]!r} is not a rate; write what one unit is worth in USD, such as 0.138."]) from None
    if code == costs.USD and worth not in (None, 1):
        raise BillError(["A US dollar is worth 1."])
    return Terms(code, worth)


def _open(data: bytes) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of each line that is not empty, and its cells."""
    if len(data) > MAX_BYTES:
        raise BillError([f"The file is larger than {MAX_BYTES // 1024 // 1024} MB; import it month by month."])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BillError(["The file is not UTF-8 text; save it as CSV in UTF-8."]) from None
    head = text.lstrip().partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise BillError([f"Line {reader.line_num} can't be read: {error}."]) from None


def _read_header(reader: Iterator[tuple[int, list[str]]], terms: Terms) -> list[str]:
    _, header = next(reader, (0, []))
    columns = [name.lower() for name in header]
    needed = [name for name in COLUMNS if name != "currency" or not terms.currency]
    problems = [f"The column {name} is missing." for name in needed if name not in columns]
    problems += [f"The column {name[:40]!r} is not known." for name in columns if name not in COLUMNS + OPTIONAL]
    problems += [f"The column {name} is there twice." for name in dict.fromkeys(columns) if columns.count(name) > 1]
    if problems:
        raise BillError([*problems, f"The first line names {', '.join(COLUMNS)} and, if you like, rate."])
    return columns


class _Reading:
    """One pass over the lines: the good ones, and what is wrong with the others."""

    def __init__(self, columns: list[str], terms: Terms) -> None:
        self.columns = columns
        self.terms = terms
        self.problems: list[str] = []
        self.places: dict[tuple[date, str], int] = {}
        self.rates: dict[tuple[str, date], Decimal | None] = {}

    def read(self, reader: Iterator[tuple[int, list[str]]]) -> list[Line]:
        lines: list[Line] = []
        for count, (number, cells) in enumerate(reader):
            if count >= MAX_LINES:
                raise BillError([f"The file has more than {MAX_LINES} lines; import it month by month."])
            try:
                lines.append(self._read_line(number, cells))
            except _CellError as error:
                self.problems.append(f"Line {number}, {error}")
        if self.problems:
            raise BillError(self.problems)
        if not lines:
            raise BillError(["The file has no lines below its header."])
        return lines

    def _read_line(self, number: int, cells: list[str]) -> Line:
        if len(cells) != len(self.columns):
            raise _CellError(f"columns: there are {len(cells)}, the header has {len(self.columns)}.")
        values = dict(zip(self.columns, cells, strict=True))
        day, model = _read_day(values["day"]), _read_model(values["model"])
        first = self.places.setdefault((day, model), number)
        if first != number:
            raise _CellError(f"model: the same day and model as in line {first}; add them up into one line.")
        currency = self._read_currency(values)
        rate = self._find_rate(values, currency, day)
        return Line(day, model, _read_tokens(values["tokens"]), _read_cost(values["cost"], rate), currency, rate)

    def _read_currency(self, values: Mapping[str, str]) -> str:
        text = values.get("currency") or self.terms.currency
        try:
            return costs.check_currency(text)
        except costs.RateError as error:
            raise _CellError(f"currency: {error}") from None

    def _find_rate(self, values: Mapping[str, str], currency: str, day: date) -> Decimal:
        if text := values.get("rate"):
            rate = _read_rate(text)
            if currency == costs.USD and rate != 1:
                raise _CellError("rate: a US dollar is worth 1.")
            return rate
        if self.terms.rate is not None and currency == self.terms.currency:
            return self.terms.rate
        if currency == costs.USD:
            return Decimal(1)
        place = (currency, day)
        if place not in self.rates:
            end = datetime.combine(day, time(), UTC) + timedelta(days=1)
            self.rates[place] = costs.find_rate(currency=currency, at=end)
        known = self.rates[place]
        if known is None:
            raise _CellError(f"rate: no rate of {currency} is known for {day}; give it, or add it in the admin.")
        return known


class _CellError(ValueError):
    """A cell that can't be read: its column, and why."""


def _read_day(text: str) -> date:
    try:
        day = date.fromisoformat(text.replace("/", "-"))
    except ValueError:
        raise _CellError(f"day: {text[:20]!r} is not a day; write one such as 2027-01-31.") from None
    if not date(2020, 1, 1) <= day <= timezone.now().date() + timedelta(days=1):
        raise _CellError(f"day: {day} is not a day that a bill can be of.")
    return day


def _read_model(text: str) -> str:
    if not text or len(text) > 128 or not text.isprintable():
        raise _CellError("model: write the model's id at the provider, in at most 128 characters.")
    return text


def _read_tokens(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 18 or int(text) > MAX_TOKENS:
        raise _CellError(f"tokens: {text[:20]!r} is not a whole number of tokens.")
    return int(text)


def _read_cost(text: str, rate: Decimal) -> Decimal:
    cost = _read_decimal(text, "cost", "write an amount such as 1234.50")
    if not 0 <= cost < 10**9 or cost * rate >= 10**9:
        raise _CellError(f"cost: {text[:30]} is out of range.")
    if cost != round(cost, 9):
        raise _CellError(f"cost: {text[:30]} has more than 9 decimal places.")
    return cost


def _read_rate(text: str) -> Decimal:
    try:
        return costs.check_rate(_read_decimal(text, "rate", "write one such as 0.138"))
    except costs.RateError as error:
        raise _CellError(f"rate: {error}") from None


def _read_decimal(text: str, column: str, hint: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise _CellError(f"{column}: {text[:30]!r} is not a number; {hint}.") from None
    if not number.is_finite():
        raise _CellError(f"{column}: {text[:30]!r} is not a number; {hint}.")
    return number
