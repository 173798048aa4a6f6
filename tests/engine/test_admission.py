"""Who is let into memory: never too many together, never nobody, and everyone in the end."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from tintype.domain.priority import Priority
from tintype.engine.flux2.admission import MOST_OVERTAKEN, Admission, Need

BUDGET = 100


def need(held: int = 10, *, step: int = 0, decode: int = 0) -> Need:
    return Need(held=held, step=step, decode=decode)


def opened(*, inside: int = 0, largest_step: int = 50) -> Admission:
    """An admission with a job of so many bytes inside."""
    admission = Admission(BUDGET, largest_step=largest_step)
    admission.wait("inside", need(inside))
    assert admission.admit() == ["inside"]
    return admission


def test_jobs_are_let_in_until_the_budget_is_used_up() -> None:
    admission = opened(inside=75)
    for key in "abc":
        admission.wait(key, need(10))

    assert admission.admit() == ["a", "b"]
    admission.leave("a")
    assert admission.admit() == ["c"]


def test_pictures_are_decoded_one_at_a_time() -> None:
    admission = opened()

    for key in "abc":
        admission.wait(key, need(1, decode=90))

    assert admission.admit() == ["a", "b", "c"]


def test_jobs_share_the_memory_of_a_step() -> None:
    admission = Admission(BUDGET, largest_step=50)
    needs = [need(1, step=40), need(1, step=40), need(1, step=60)]

    assert admission.bytes_of(needs[:1]) == 41
    assert admission.bytes_of(needs[:2]) == 52
    assert admission.bytes_of(needs) == 63


def test_a_job_that_can_never_fit_is_known_at_once() -> None:
    admission = opened()

    assert admission.can_ever_fit(need(60, step=40, decode=10))
    assert not admission.can_ever_fit(need(60, step=10, decode=41))


def test_high_priority_is_let_in_first() -> None:
    admission = opened(inside=90)
    for priority in (Priority.LOW, Priority.NORMAL, Priority.HIGH):
        admission.wait(priority, need(10), priority)

    assert admission.admit() == [Priority.HIGH]


def test_small_jobs_may_overtake_a_large_one_so_many_times() -> None:
    admission = opened(inside=50)
    admission.wait("large", need(60))
    for number in range(MOST_OVERTAKEN + 3):
        admission.wait(f"{number}", need(1))

    let_in = admission.admit()

    assert let_in == [f"{number}" for number in range(MOST_OVERTAKEN)]
    admission.leave("inside")
    assert admission.admit()[0] == "large"


def test_who_goes_while_waiting_is_never_let_in() -> None:
    admission = opened(inside=95)
    admission.wait("a", need(10))

    admission.leave("a")

    assert admission.admit() == []


def test_who_comes_again_while_his_picture_is_finished_is_not_lost() -> None:
    admission = opened(inside=95)
    admission.wait("inside", need(10))

    admission.finish("inside")

    assert admission.admit() == ["inside"]


def test_a_job_alone_is_not_stepped_and_decoded_at_once() -> None:
    admission = Admission(BUDGET, largest_step=90)
    large = need(10, step=90, decode=80)
    admission.wait("first", large)
    admission.wait("second", large)

    assert admission.can_ever_fit(large)
    assert admission.admit() == ["first"]
    assert admission.admit() == []
    admission.finish("first")
    assert admission.admit() == ["second"]


ARRIVALS = st.lists(
    st.tuples(
        st.sampled_from(Priority),
        st.builds(need, st.integers(1, 60), step=st.integers(0, 30), decode=st.integers(0, 10)),
        st.integers(0, 3),
    ),
    max_size=50,
)


@settings(max_examples=60, deadline=None)
@given(ARRIVALS)
def test_nobody_is_lost_or_overtaken_more_often_than_allowed(
    arrivals: list[tuple[Priority, Need, int]],
) -> None:
    admission = Admission(BUDGET, largest_step=40)
    inside: dict[str, Need] = {}
    waiting: dict[str, int] = {}
    overtaken: Counter[str] = Counter()
    needs: dict[str, Need] = {}
    let_in: list[str] = []

    def let_some_in() -> None:
        for key in admission.admit():
            arrival = waiting.pop(key)
            overtaken.update(other for other, earlier in waiting.items() if earlier < arrival)
            inside[key] = needs[key]
            let_in.append(key)
        assert admission.bytes_of(inside.values()) <= BUDGET
        assert inside or not waiting

    for number, (priority, needed, leaving) in enumerate(arrivals):
        key = f"{number}"
        needs[key], waiting[key] = needed, number
        admission.wait(key, needed, priority)
        let_some_in()
        for gone in list(inside)[:leaving]:
            admission.leave(gone)
            del inside[gone]
    while inside or waiting:
        let_some_in()
        gone = next(iter(inside))
        admission.leave(gone)
        del inside[gone]

    assert sorted(let_in, key=int) == [f"{number}" for number in range(len(arrivals))]
    assert max(overtaken.values(), default=0) <= MOST_OVERTAKEN
