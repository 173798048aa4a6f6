"""Which models stay in memory, and which go: the rules, without any weights."""

from tintype.domain.source import Source
from tintype.engine.shelf import Shelf
from tintype.engine.turns import Turns

A, B, C = (Source(weights=name) for name in "abc")
INK = Source(weights="a", lora="ink")


def shelf_of(*models: Source, budget: int = 100, size: int = 40) -> Shelf:
    shelf = Shelf(budget=budget)
    for moment, model in enumerate(models):
        shelf.put(model, size, now=moment)
    return shelf


def test_what_fits_takes_nobodys_room() -> None:
    assert shelf_of(A).room_for(B, 60) == ([], [])


def test_the_least_recently_used_goes_first_and_no_more_than_needed() -> None:
    shelf = shelf_of(A, B)
    shelf.use(A, "job", now=5)
    shelf.leave("job")

    assert shelf.room_for(C, 40) == ([B], [])
    assert shelf.room_for(C, 100) == ([B, A], [])


def test_what_is_used_is_named_apart_and_after_what_is_not() -> None:
    shelf = shelf_of(A, B)
    shelf.use(A, "job", now=0)

    assert shelf.room_for(C, 40) == ([B], [])
    assert shelf.room_for(C, 80) == ([B], [A])


def test_a_model_is_unused_when_its_last_job_has_left() -> None:
    shelf = shelf_of(A)
    shelf.use(A, "one", now=1)
    shelf.use(A, "other", now=2)

    shelf.leave("one")
    assert shelf.room_for(C, 100) == ([], [A])
    shelf.leave("other")
    assert shelf.room_for(C, 100) == ([A], [])


def test_who_uses_a_lora_uses_its_base() -> None:
    shelf = shelf_of(A, B, INK, size=30)
    shelf.use(INK, "job", now=9)

    assert shelf.room_for(C, 100) == ([B], [INK, A])


def test_a_lora_goes_before_its_base_and_with_it() -> None:
    shelf = shelf_of(A, INK, B, size=30)

    assert shelf.room_for(C, 30) == ([INK, A], [])

    shelf.use(A, "job", now=9)
    shelf.leave("job")
    assert shelf.room_for(C, 30) == ([INK], [])


def test_a_base_never_makes_room_for_its_own_lora() -> None:
    shelf = shelf_of(A, B)

    assert shelf.room_for(INK, 30) == ([B], [])
    assert shelf.fits_alone(INK, 60)
    assert not shelf.fits_alone(INK, 61)


def test_models_take_turns_by_the_time_of_their_steps_and_the_weight_of_their_callers() -> None:
    turns: Turns[str] = Turns()
    weights = {"large": 1.0, "small": 2.0}
    had = dict.fromkeys(weights, 0.0)

    for _ in range(300):
        name = turns.next(weights)
        seconds = 0.5 if name == "large" else 0.1
        turns.charge(name, seconds, weight=weights[name])
        had[name] += seconds

    assert 1.8 < had["small"] / had["large"] < 2.2


def test_who_comes_later_owes_nothing_and_is_owed_nothing() -> None:
    turns: Turns[str] = Turns()
    for _ in range(100):
        turns.charge(turns.next({"old": 1.0}), 1.0, weight=1.0)

    order = []
    for _ in range(6):
        order.append(turns.next({"old": 1.0, "new": 1.0}))
        turns.charge(order[-1], 1.0, weight=1.0)

    assert order.count("new") == 3
