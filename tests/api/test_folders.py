"""Section 13: folders, and how much a project may keep."""

from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.test_bodies import MULTIPART, multipart
from api.uploading import FOLDER, MIB, PNG, refused, upload, uploaded
from api.wire import Caller, Wire, start_wire
from tintype.domain.project import Auth
from tintype.domain.quota import Quota

RUN_WITH_FILES = "/v1/Run/black-forest-labs/flux-2-flex"


def folder_of(answer: httpx2.Response) -> dict[str, Any]:
    return uploaded(answer)


def test_check_65_a_file_lies_in_the_folder_of_its_upload(wire: Wire) -> None:
    made = folder_of(wire.post(FOLDER, {"name": "summer_2026-a"}))
    file = uploaded(upload(wire, PNG, folderid=made["id"]))

    assert made == {
        "id": made["id"],
        "name": "summer_2026-a",
        "parentid": "0",
        "size": "0",
        "contenttype": "",
        "addedtime": made["addedtime"],
    }
    assert len(made["id"]) == 32
    assert file["parentid"] == made["id"]


def test_a_folder_may_lie_in_a_folder(wire: Wire) -> None:
    outer = folder_of(wire.post(FOLDER, {"name": "outer"}))
    inner = folder_of(wire.post(FOLDER, {"name": "inner", "parentid": outer["id"]}))

    assert inner["parentid"] == outer["id"]


def test_a_folder_made_twice_is_one(wire: Wire) -> None:
    first, second = (folder_of(wire.post(FOLDER, {"name": "twice"})) for _ in range(2))
    elsewhere = folder_of(wire.post(FOLDER, {"name": "twice", "parentid": first["id"]}))

    assert first == second
    assert elsewhere["id"] != first["id"]


@pytest.mark.parametrize("name", ["bad name!", "a/b", "..", "ä", "a\n", " a", "a" * 129])
def test_check_69_a_folder_with_a_bad_name_is_refused(wire: Wire, name: str) -> None:
    assert refused(wire.post(FOLDER, {"name": name})).startswith("Request parameter [name] must consist of")


def test_a_folder_needs_a_name(wire: Wire) -> None:
    assert refused(wire.post(FOLDER, {})) == "Request parameter [name] required"


@pytest.mark.parametrize("unknown", ["1", "f" * 32, "../x", "a\x00b"])
def test_folders_of_others_are_forbidden_and_look_like_none(
    wire: Wire, stranger: Caller, unknown: str
) -> None:
    theirs = folder_of(wire.post(FOLDER, {"name": "theirs"}, caller=stranger))["id"]

    for place in (theirs, unknown):
        answers = [wire.post(FOLDER, {"name": "x", "parentid": place})]
        if place.isprintable():
            answers.append(upload(wire, PNG, folderid=place))
        for answer in answers:
            assert refused(answer) == "You don't have any permission for this action."


def test_projects_of_one_account_share_its_folders(wire: Wire) -> None:
    made = folder_of(wire.post(FOLDER, {"name": "shared"}))
    sibling = wire.project(auth=Auth.KEY, of=wire.caller)

    assert uploaded(upload(wire, PNG, caller=sibling, folderid=made["id"]))["parentid"] == made["id"]


def test_beyond_a_limit_nothing_more_is_kept(tmp_path: Path) -> None:
    quota = Quota(uploads=2, upload_bytes=3 * MIB, folders=1)
    with start_wire(tmp_path, spool=tmp_path, quota=quota) as wire:
        uploaded(upload(wire, PNG))
        large = refused(upload(wire, PNG + bytes(3 * MIB)))
        uploaded(upload(wire, PNG))
        stored = {path for path in (tmp_path / "files").rglob("*") if path.is_file()}
        many = refused(upload(wire, PNG))
        ran = wire.send(RUN_WITH_FILES, multipart(("prompt", "x"), ("inputImage", PNG, "a.png")), MULTIPART)
        wire.post(FOLDER, {"name": "one"})
        folders = refused(wire.post(FOLDER, {"name": "two"}))

        assert large == "You have reached your upload limit of 3 MiB."
        assert many == "You have reached your upload limit of 2 files."
        assert folders == "You have reached your folder limit of 1."
        assert ran.json()["result"] is True
        assert uploaded(wire.post(FOLDER, {"name": "one"}))["name"] == "one"
        assert {path for path in (tmp_path / "files" / "uploads").rglob("*") if path.is_file()} == stored
