"""Deleting the files of a task."""

import pytest

from api.shown import ALIASES, DELETE, KILL, assert_well_formed, error, named
from api.wire import PUBLIC_URL, Wire


class TestDeletingFiles:
    def test_check_53_the_files_of_a_finished_task_are_deleted_twice(self, wire: Wire) -> None:
        ran = wire.run()
        url = wire.finish(ran)["outputs"][0]["url"].removeprefix(PUBLIC_URL)
        assert wire.http.get(url).status_code == 200

        answers = [wire.post(DELETE, ran).json() for _ in range(2)]

        assert answers == [{"result": True, "errors": []}] * 2
        assert wire.http.get(url).status_code == 404
        task = wire.detail(ran)
        assert_well_formed(task)
        assert (task["outputs"], task["outputfolderid"], task["size"]) == ([], "0", "0")
        assert (task["status"], task["pexit"]) == ("task_postprocess_end", "0")
        assert task["parameters"] == {"prompt": "a red kite"}

    def test_check_54_a_task_that_has_not_ended_keeps_its_files(self, wire: Wire) -> None:
        ran = wire.run()
        message = "Task must be completed or cancelled before deleting files"

        assert error(wire, DELETE, ran) == (0, message)
        wire.advance(ran)
        assert error(wire, DELETE, ran) == (0, message)

    @pytest.mark.parametrize("alias", ALIASES)
    def test_a_cancelled_task_has_nothing_to_delete(self, wire: Wire, alias: str) -> None:
        ran = wire.run()
        wire.post(KILL, ran)

        assert wire.post(DELETE, named(ran, alias)).json() == {"result": True, "errors": []}
