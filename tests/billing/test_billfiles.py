"""A provider's bill as CSV: what is good is read as it stands, what is not is named by line and column."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from billing import costs
from billing.books import billfiles
from billing.books.billfiles import BillError, Terms, check_terms, read_bill

HEADER = "day,model,tokens,cost,currency,rate\n"
GOOD = "2026-11-01,deepseek-chat,1000,2.50,CNY,0.138\n"


def problems(text: str | bytes, terms: Terms | None = None) -> list[str]:
    with pytest.raises(BillError) as refused:
        read_bill(text if isinstance(text, bytes) else text.encode(), terms)
    return refused.value.problems


@pytest.mark.parametrize(
    "text",
    [
        HEADER + GOOD,
        "\ufeff" + HEADER + GOOD,
        (HEADER + GOOD).replace("\n", "\r\n"),
        (HEADER + GOOD).replace(",", ";"),
        (HEADER + GOOD).replace(",", "\t"),
        '"Day","Model","Tokens","Cost","Currency","Rate"\n"2026-11-01","deepseek-chat","1000","2.50","cny","0.138"\n',
        "rate,currency,cost,tokens,model,day\n 0.138 , CNY , 2.50 , 1000 , deepseek-chat , 2026/11/01 \n\n,,,,,\n",
    ],
    ids=["plain", "bom", "crlf", "semicolons", "tabs", "quoted", "spaced"],
)
def test_a_good_bill_is_read_in_every_shape(text):
    [line] = read_bill(text.encode())
    assert (line.day, line.model, line.tokens) == (date(2026, 11, 1), "deepseek-chat", 1000)
    assert (line.cost, line.currency, line.rate) == (Decimal("2.50"), "CNY", Decimal("0.138"))
    assert line.cost_nanos == 345_000_000


@pytest.mark.parametrize(
    ("column", "wrong"),
    [
        ("day", "1.11.2026"),
        ("day", "2026-02-30"),
        ("day", "2999-01-01"),
        ("day", ""),
        ("model", ""),
        ("model", "m" * 129),
        ("tokens", "-1"),
        ("tokens", "1.5"),
        ("tokens", "1000000000000001"),
        ("tokens", "١٢"),
        ("cost", "free"),
        ("cost", "-1"),
        ("cost", "NaN"),
        ("cost", "1e12"),
        ("cost", "0.0000000001"),
        ("currency", "yuan"),
        ("currency", ""),
        ("rate", "0"),
        ("rate", "x"),
        ("rate", "1e-12"),
    ],
)
def test_a_bad_cell_is_named_by_line_and_column(column, wrong):
    cells = dict(zip(HEADER.strip().split(","), GOOD.strip().split(","), strict=True)) | {column: wrong}
    [problem] = problems(HEADER + GOOD.replace("chat", "other") + ",".join(cells.values()) + "\n")
    assert problem.startswith(f"Line 3, {column}: ")


def test_every_bad_line_is_named():
    text = HEADER + GOOD + "x,m,1,1,USD,1\n" + "2026-11-01,m,1,1,USD,1\n" + "2026-11-02,m,many,1,USD,1\n"
    assert [problem.split(":")[0] for problem in problems(text)] == ["Line 3, day", "Line 5, tokens"]


def test_of_very_many_bad_lines_the_first_are_named():
    found = problems(HEADER + "x,m,1,1,USD,1\n" * 50)
    assert (len(found), found[-1]) == (21, "and 30 more.")


def test_a_day_and_model_twice_are_named():
    [problem] = problems(HEADER + GOOD + GOOD)
    assert problem == "Line 3, model: the same day and model as in line 2; add them up into one line."


@pytest.mark.parametrize(
    ("header", "what"),
    [
        ("day,model,tokens,cost\n", "The column currency is missing."),
        ("day,model,tokens,cost,currency,rates\n", "The column 'rates' is not known."),
        ("day,model,tokens,cost,currency,cost\n", "The column cost is there twice."),
        ("2026-11-01,m,1,1,USD\n", "The column day is missing."),
    ],
)
def test_a_header_that_lacks_something_is_named(header, what):
    assert problems(header + GOOD)[0] == what


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "The column day is missing."),
        (HEADER.encode(), "has no lines"),
        ((HEADER + GOOD).encode("utf-16"), "not UTF-8"),
        ((HEADER + '2026-11-01,"m,1,1,USD,1\n').encode(), "can't be read"),
        ((HEADER + "2026-11-01,m,1,1,USD\n").encode(), "Line 2, columns: there are 5, the header has 6."),
        (b"x" * (billfiles.MAX_BYTES + 1), "larger than 5 MB"),
        ((HEADER + "x\n" * (billfiles.MAX_LINES + 1)).encode(), "more than 20000 lines"),
    ],
)
def test_a_file_that_is_no_bill_is_refused(data, what):
    assert what in " ".join(problems(data))


def test_what_lines_do_not_say_is_taken_from_the_terms():
    terms = check_terms(currency="cny", rate="0.14")
    text = "day,model,tokens,cost\n2026-11-01,a,1,2\n"
    assert read_bill(text.encode(), terms)[0].cost_nanos == 280_000_000
    text = "day,model,tokens,cost,currency,rate\n2026-11-01,a,1,2,USD,\n2026-11-01,b,1,2,,0.2\n"
    assert [line.cost_nanos for line in read_bill(text.encode(), terms)] == [2 * 10**9, 400_000_000]


def test_else_the_rate_of_that_day_counts(db):
    for day, usd in ((1, "0.13"), (3, "0.14")):
        costs.set_rate(currency="CNY", usd=Decimal(usd), starts_at=datetime(2026, 11, day, 12, tzinfo=UTC))
    text = "day,model,tokens,cost,currency\n2026-11-01,a,1,1,CNY\n2026-11-02,a,1,1,CNY\n2026-11-03,a,1,1,CNY\n"
    assert [str(line.rate) for line in read_bill(text.encode())] == ["0.130000000", "0.130000000", "0.140000000"]
    [problem] = problems("day,model,tokens,cost,currency\n2026-10-31,a,1,1,CNY\n")
    assert problem.startswith("Line 2, rate: no rate of CNY is known for 2026-10-31")


@pytest.mark.parametrize(
    "given", [{"rate": "0.1"}, {"currency": "CNY", "rate": "x"}, {"currency": "yuan"}, {"currency": "USD", "rate": "2"}]
)
def test_senseless_terms_are_refused(given):
    with pytest.raises(BillError):
        check_terms(**given)


def test_a_dollar_is_a_dollar_on_a_bill_too():
    assert problems(HEADER + "2026-11-01,m,1,1,USD,2\n") == ["Line 2, rate: a US dollar is worth 1."]
