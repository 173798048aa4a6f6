"""Prices and times as the wire prints them."""

from decimal import Decimal

import pytest

from tintype.domain.money import cost, dollars, elapsed_seconds, epoch, picodollars


def test_check_46_six_seconds_at_the_page_s_price() -> None:
    elapsed = elapsed_seconds(1734513807_000000, 1734513813_000000)

    assert str(elapsed) == "6.0000"
    assert dollars(picodollars("0.000585000000")) == "0.000585000000"
    assert dollars(cost(elapsed, picodollars("0.000585"))) == "0.003510000000"


def test_elapsed_seconds_round_half_up_to_four_decimals() -> None:
    assert str(elapsed_seconds(1_000_000, 1_000_050)) == "0.0001"
    assert str(elapsed_seconds(1_000_000, 1_000_049)) == "0.0000"


def test_nothing_elapses_before_both_ends_are_known() -> None:
    assert str(elapsed_seconds(0, 5_000_000)) == str(elapsed_seconds(5_000_000, 0)) == "0.0000"


def test_a_cost_rounds_half_up_to_whole_picodollars() -> None:
    assert cost(Decimal("0.0001"), 5_000) == 1
    assert cost(Decimal("0.0001"), 4_999) == 0


def test_a_price_has_at_most_twelve_decimals() -> None:
    with pytest.raises(ValueError, match="more than 12 decimals"):
        picodollars("0.0000000000001")


def test_moments_are_truncated_to_seconds_and_zero_has_not_happened() -> None:
    assert epoch(1734513807_999999) == "1734513807"
    assert epoch(0) == "0"
