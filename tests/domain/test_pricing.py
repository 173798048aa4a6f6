"""What a run is expected to take and to cost."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tintype.domain.pricing import Pace, expected_seconds, quote, size_class

DEFAULTS = 1024.0 * 1024 * 50
"""The work of the model page's defaults."""
works = st.floats(1, 2048 * 2048 * 50)


def test_without_any_run_the_prior_counts() -> None:
    assert expected_seconds([], DEFAULTS) == pytest.approx(11.5, abs=0.1)


def test_a_run_as_large_as_those_measured_takes_as_long() -> None:
    assert expected_seconds([Pace(work=DEFAULTS, seconds=6.0)], DEFAULTS) == pytest.approx(6.0)


def test_twice_the_work_takes_almost_twice_as_long() -> None:
    paces = [Pace(work=DEFAULTS, seconds=6.0)]

    assert 1.8 * 6.0 < expected_seconds(paces, 2 * DEFAULTS) < 2 * 6.0


def test_tiny_runs_alone_do_not_make_large_ones_absurd() -> None:
    paces = [Pace(work=64.0 * 64 * 4, seconds=0.3)]

    assert 1 < expected_seconds(paces, DEFAULTS) < 30


def test_between_two_sizes_both_count() -> None:
    paces = [Pace(work=1e6, seconds=2.0), Pace(work=1e8, seconds=30.0)]

    assert expected_seconds(paces, 1e6) == pytest.approx(2.0)
    assert 2.0 < expected_seconds(paces, 1e7) < 30.0
    assert expected_seconds(paces, 1e8) == pytest.approx(30.0)


@given(works, st.lists(st.tuples(works, st.floats(0.001, 10_000)), max_size=5))
def test_an_expectation_is_always_a_positive_time(work: float, measured: list[tuple[float, float]]) -> None:
    paces = [Pace(work=each, seconds=seconds) for each, seconds in measured]

    assert 0 < expected_seconds(paces, work) < 1e12


def test_a_quote_is_seconds_as_printed_times_the_price() -> None:
    quoted = quote([Pace(work=DEFAULTS, seconds=6.00004)], work=DEFAULTS, cps=585_000_000)

    assert quoted.elapsed == Decimal("6.0000")
    assert quoted.total_cost == 3_510_000_000


@pytest.mark.parametrize(
    ("work", "size"), [(0, 0), (0.5, 0), (1, 1), (1.9, 1), (2, 2), (1023, 10), (1024, 11)]
)
def test_sizes_double_from_class_to_class(work: float, size: int) -> None:
    assert size_class(work) == size
