"""Uploads: files that callers keep here, to name them in Runs later, and folders for them."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tintype.api.answers import answering, success
from tintype.api.auth import Authenticator
from tintype.api.bodies import BodyReader
from tintype.api.rates import RateLimits, telling_rates
from tintype.api.scalars import text
from tintype.domain.errors import FileRequired
from tintype.domain.folder import TOP, Folder, folder_name
from tintype.domain.money import epoch
from tintype.domain.part import Part
from tintype.domain.project import Project
from tintype.domain.rate import Limited
from tintype.domain.task import File
from tintype.domain.task_object import file_url
from tintype.service import Service, refuse_suspended

PART = "file"


class Uploads:
    """Answers `/v1/File/Upload` and `/v1/File/FolderCreate`."""

    def __init__(
        self, service: Service, *, authenticator: Authenticator, bodies: BodyReader, rates: RateLimits
    ) -> None:
        self._service = service
        self._rates = rates
        self._authenticator = authenticator
        self._bodies = bodies

    def routes(self) -> list[Route]:
        """Both are POST."""
        return [
            Route("/v1/File/Upload", telling_rates(answering(self.upload, list=[])), methods=["POST"]),
            Route("/v1/File/FolderCreate", answering(self.create_folder, list=[]), methods=["POST"]),
        ]

    async def upload(self, request: Request) -> Response:
        """Keeps one file."""
        project = await self._project(request)
        await self._rates.spend(request, project, Limited.UPLOAD)
        async with self._bodies.parameters_with_files(request, {PART: 1}) as parameters:
            part = parameters.get(PART)
            if not isinstance(part, Part):
                raise FileRequired(name=PART)
            folder = text(parameters, "folderid").strip() or TOP
            file = await self._service.filing.upload(project, part, folder)
        return success(_listed(upload_object(file, self._service.public_url)))

    async def create_folder(self, request: Request) -> Response:
        """Makes a folder, or finds the one that has been made already."""
        project = await self._project(request)
        parameters = await self._bodies.parameters(request)
        folder = await self._service.filing.create_folder(
            project,
            name=folder_name(text(parameters, "name")),
            parent=text(parameters, "parentid").strip() or TOP,
        )
        return success(_listed(folder_object(folder)))

    async def _project(self, request: Request) -> Project:
        project = await self._authenticator.project(request)
        refuse_suspended(project)
        return project


def upload_object(file: File, public_url: str) -> dict[str, Any]:
    """An uploaded file as its caller sees it."""
    return {
        "id": file.id,
        "name": file.name,
        "contenttype": file.content_type,
        "size": str(file.size),
        "parentid": file.folder,
        "url": file_url(file, public_url),
        "addedtime": epoch(file.added),
        "accesskey": file.access_key,
    }


def folder_object(folder: Folder) -> dict[str, Any]:
    """A folder as its caller sees it."""
    return {
        "id": folder.id,
        "name": folder.name,
        "parentid": folder.parent,
        "size": "0",
        "contenttype": "",
        "addedtime": epoch(folder.added),
    }


def _listed(item: dict[str, Any]) -> dict[str, Any]:
    return {"result": True, "errors": [], "list": [item]}
