import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing import money


@pytest.mark.parametrize(
    ("text", "nanos"), [("1", 10**9), ("0.50", 5 * 10**8), ("0.000000001", 1), ("0", 0), (" 12.5 ", 12_500_000_000)]
)
def test_it_reads_dollars(text: str, nanos: int) -> None:
    assert money.parse_usd(text) == nanos


@pytest.mark.parametrize("text", ["", "abc", "-1", "NaN", "sNaN", "Infinity", "1e99", "0.0000000001", "1,5"])
def test_it_refuses_what_is_no_amount(text: str) -> None:
    with pytest.raises(money.AmountError):
        money.parse_usd(text)


@given(st.integers(min_value=0, max_value=10**18))
def test_exact_text_reads_back(nanos: int) -> None:
    assert money.parse_usd(money.usd(nanos)) == nanos


@pytest.mark.parametrize(
    ("nanos", "text"),
    [
        (0, "$0.00"),
        (21_000, "$0.000021"),
        (41_730_200_000, "$41.73"),
        (150_000_000, "$0.1500"),
        (999_949_999, "$0.9999"),
        (999_950_000, "$1.00"),
        (-1_500_000_000, "-$1.50"),
    ],
)
def test_people_see_dollars(nanos: int, text: str) -> None:
    assert money.format_usd(nanos) == text


@pytest.mark.parametrize(
    ("nanos", "text"),
    [
        (0, "$0.00"),
        (37_800, "$0.0000378"),
        (49_774_800, "$0.0497"),
        (999_999_999, "$0.9999"),
        (5_999_774_800, "$5.99"),
        (6_000_000_000, "$6.00"),
        (-1_500_100_000, "-$1.51"),
    ],
)
def test_what_is_left_is_never_shown_as_more_than_it_is(nanos: int, text: str) -> None:
    assert money.format_left(nanos) == text


@pytest.mark.parametrize(
    ("nanos", "text"),
    [(0, "$0.00"), (1_020_999_774_800, "$1,020.9997748"), (-10_000_000_000, "-$10.00"), (1, "$0.000000001")],
)
def test_what_must_add_up_is_shown_to_the_last_digit(nanos: int, text: str) -> None:
    assert money.format_exact(nanos) == text


def test_an_amount_of_zero_is_refused_in_words_that_fit() -> None:
    with pytest.raises(money.AmountError, match="above 0"):
        money.parse_usd("0", allow_zero=False)
    with pytest.raises(money.AmountError, match="other than 0"):
        money.parse_usd("0", allow_zero=False, allow_negative=True)


def test_a_charge_is_rounded_up_once() -> None:
    prices = (1, 1, 1)  # a micro-dollar per 1M tokens: a thousandth of a nano-dollar a token
    assert money.charge(1, 0, 0, prices) == 1
    assert money.charge(400, 0, 700, prices) == 2


def test_cached_tokens_cost_their_own_price() -> None:
    assert money.charge(1000, 400, 100, (1_000_000, 500_000, 2_000_000)) == 600_000 + 200_000 + 200_000


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**7))
def test_price_zero_costs_nothing(inputs: int, outputs: int, price: int) -> None:
    assert money.charge(inputs, 0, outputs, (0, 0, 0)) == 0
    assert money.charge(inputs, 0, outputs, (price, price, price)) * 1000 >= (inputs + outputs) * price
