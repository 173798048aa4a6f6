"""Lists of tasks: their order, their pages, and what filters them."""

from typing import Any

import pytest

from api.shown import LIST
from api.wire import Caller, Wire


@pytest.fixture(scope="module")
def owner(wire: Wire) -> Caller:
    """A project with five tasks."""
    owner = wire.project()
    for number in range(5):
        wire.run(f"number {number}", caller=owner)
    return owner


class TestList:
    def prompts(self, wire: Wire, owner: Caller, **body: Any) -> list[str]:
        answer = wire.post(LIST, body, caller=owner).json()
        assert (answer["total"], answer["errors"], answer["result"]) == ("5", [], True)
        return [task["parameters"]["prompt"].removeprefix("number ") for task in answer["tasklist"]]

    def test_check_51_the_newest_come_first(self, wire: Wire, owner: Caller) -> None:
        asked = {"type": "model", "sort": "id", "order": "DESC", "start": "0", "limit": "2"}

        assert self.prompts(wire, owner, **asked) == ["4", "3"]
        assert self.prompts(wire, owner) == ["4", "3", "2", "1", "0"]

    def test_pages_may_be_asked_for_in_numbers_or_text(self, wire: Wire, owner: Caller) -> None:
        assert self.prompts(wire, owner, start=1, limit=2, order="ASC") == ["1", "2"]
        assert self.prompts(wire, owner, start="1", limit="2", order="asc") == ["1", "2"]
        assert self.prompts(wire, owner, start="5") == self.prompts(wire, owner, start=10**30) == []

    @pytest.mark.parametrize(
        "odd",
        [
            {"start": "x", "limit": "y", "sort": "rank", "order": "sideways", "type": "pony"},
            {"start": -1, "limit": 1000, "sort": 5, "order": "", "type": None},
            {"start": None, "limit": "", "sort": ""},
            {"start": "1e999", "limit": "nan"},
            {"start": 0, "limit": [1]},
        ],
    )
    def test_odd_values_fall_back(self, wire: Wire, owner: Caller, odd: dict[str, Any]) -> None:
        assert self.prompts(wire, owner, **odd) == ["4", "3", "2", "1", "0"]

    def test_a_limit_is_at_least_one(self, wire: Wire, owner: Caller) -> None:
        assert self.prompts(wire, owner, limit=0) == self.prompts(wire, owner, limit=-5) == ["4"]

    def test_check_52_part_of_the_model_s_name_filters(self, wire: Wire, owner: Caller) -> None:
        for part in ("flux", "FLEX-T2I", "Forest Labs", "black-forest-labs/flux", ""):
            assert len(self.prompts(wire, owner, modelName=part)) == 5
        for part in ("nothing", "%", "_", "\u0000", "' OR 1=1"):
            answer = wire.post(LIST, {"modelName": part}, caller=owner).json()
            assert (answer["total"], answer["tasklist"], answer["result"]) == ("0", [], True)

    def test_a_page_stays_below_sixteen_mebibytes(self, wire: Wire) -> None:
        owner = wire.project()
        for _ in range(4):
            wire.run("x" * 5_000_000, caller=owner)

        answer = wire.post(LIST, caller=owner)

        assert len(answer.content) < 2**24
        assert (answer.json()["total"], len(answer.json()["tasklist"])) == ("4", 3)
