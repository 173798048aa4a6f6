"""The real application on a real socket, over a real store, with a worker that tests play by hand."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import uvicorn

import tintype
from databases import place_database
from tintype.api import connection, keepalive
from tintype.api.app import create_app
from tintype.api.following import Following
from tintype.bus.memory import MemoryBus
from tintype.domain.catalogue import load_catalogue
from tintype.domain.lifecycle import Status
from tintype.domain.priority import Turns
from tintype.domain.project import Auth, Project
from tintype.domain.quota import UNLIMITED, Quota
from tintype.domain.signature import sign
from tintype.domain.task import FAILURE, SUCCESS, File, Outcome, Task
from tintype.domain.tokens import new_file_id, new_token
from tintype.service import Service, now
from tintype.storage import accounts, loose, projects, tasks
from tintype.storage.database import open_database
from tintype.storage.objects import open_objects
from tintype.storage.vault import open_vault

MODEL = "black-forest-labs/flux-2-flex-t2i"
RUN = f"/v1/Run/{MODEL}"
MODELS = Path(tintype.__file__).parent / "models"
PUBLIC_URL = "http://pictures.example"
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 2000

T = TypeVar("T")


@dataclass(frozen=True)
class Caller:
    """A project, and the credentials that a test speaks with."""

    project: Project
    secret: str

    @property
    def key(self) -> str:
        return self.project.key

    def headers(self, nonce: str = "1734513807", **more: str) -> dict[str, str]:
        signature = sign(key=self.key, secret=self.secret, nonce=nonce)
        return {"x-api-key": self.key, "x-nonce": nonce, "x-signature": signature, **more}


class Wire:
    """A started server. Words for callers, and for the worker behind it."""

    def __init__(
        self, *, service: Service, following: Following, port: int, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.service = service
        self.following = following
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.http = httpx2.Client(base_url=self.url, timeout=30)
        self.loop = loop
        self.caller = self.project(auth=Auth.SIGNATURE)

    def do(self, work: Awaitable[T]) -> T:
        """Runs a coroutine where the server runs."""

        async def working() -> T:
            return await work

        return asyncio.run_coroutine_threadsafe(working(), self.loop).result(60)

    def write(self, change: Callable[[Any], T]) -> T:
        return self.do(self.service.database.write(change))

    def stop_waiting(self) -> None:
        """Tells those who wait that the process is about to stop."""
        self.loop.call_soon_threadsafe(self.following.stopping.set)

    # Callers

    def project(self, *, auth: Auth = Auth.KEY, of: Caller | None = None, **more: Any) -> Caller:
        """A new project, of a new account or of another caller's."""

        def create(connection: Any) -> Caller:
            name = more.pop("name", "") or new_token()
            account = of.project.account if of else accounts.create_account(connection, name=name, now=now())
            made = projects.create_project(
                connection, self.service.vault, account=account, name=name, auth=auth, now=now(), **more
            )
            return Caller(*made)

        return self.write(create)

    def post(
        self, path: str, body: Any = None, *, caller: Caller | None = None, **more: Any
    ) -> httpx2.Response:
        """A POST of JSON with credentials, as most callers send it."""
        headers = {**(caller or self.caller).headers(), **more.pop("headers", {})}
        return self.http.post(path, json={} if body is None else body, headers=headers, **more)

    def send(
        self,
        path: str,
        content: Any,
        content_type: str | None = None,
        *,
        caller: Caller | None = None,
        **headers: str,
    ) -> httpx2.Response:
        """A POST of these bytes with credentials; without a Content-Type if none is given."""
        typed = {"content-type": content_type} if content_type else {}
        headers = {**(caller or self.caller).headers(), **typed, **headers}
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        return self.http.post(path, content=content, headers=raw)

    def run(
        self, prompt: str = "a red kite", *, caller: Caller | None = None, **inputs: Any
    ) -> dict[str, Any]:
        """Starts a task; the answer to Run."""
        answer = self.post(RUN, {"prompt": prompt, **inputs}, caller=caller).json()
        assert answer["result"], answer
        return dict(answer)

    def detail(self, ran: dict[str, Any], *, caller: Caller | None = None) -> dict[str, Any]:
        """The task of an answer to Run, as it is now."""
        answer = self.post("/v1/Task/Detail", {"taskid": ran["taskid"]}, caller=caller).json()
        assert answer["result"], answer
        return dict(answer["tasklist"][0])

    # The worker

    def claim(self, ran: dict[str, Any]) -> Task:
        """Takes this task out of the queue and leaves the others there."""

        def take(connection: Any) -> list[Task]:
            connection.exec_driver_sql(f"UPDATE tasks SET rank = -1 WHERE id = {ran['taskid']}")
            return tasks.claim(connection, worker="worker", places=1, now=now(), turns=Turns())

        (task,) = self.write(take)
        assert str(task.id) == ran["taskid"]
        return task

    def advance(self, ran: dict[str, Any], to: Status = Status.OUTPUT) -> Task:
        """Claims the task and brings it to a stage."""
        task = self.claim(ran)
        for status in list(Status)[2:]:
            task = self.step(task, status)
            if status is to:
                break
        return task

    def step(self, task: Task, status: Status) -> Task:
        """Moves a claimed task to its next stage."""
        return self.write(lambda connection: tasks.advance(connection, task.lease, status, now=now()))

    def finish(
        self,
        ran: dict[str, Any],
        *,
        pictures: int = 1,
        content: bytes = PICTURE,
        caller: Caller | None = None,
    ) -> dict[str, Any]:
        """Brings the task to a good end; the task as Detail shows it then."""
        task = self.advance(ran, Status.END)
        folder = new_file_id()
        outputs = tuple(self._store(f"{index}.png", folder, content) for index in range(pictures))
        outcome = Outcome(exit_code=SUCCESS, outputs=outputs, output_folder=folder)
        self.write(lambda c: tasks.finish(c, task.lease, outcome, now=now()))
        return self.detail(ran, caller=caller)

    def fail(self, ran: dict[str, Any], reason: str = "The engine broke.") -> dict[str, Any]:
        """Brings the task to a bad end; the task as Detail shows it then."""
        task = self.advance(ran)
        outcome = Outcome(exit_code=FAILURE, debug_error=reason)
        self.write(lambda c: tasks.finish(c, task.lease, outcome, now=now()))
        return self.detail(ran)

    def _store(self, name: str, folder: str, content: bytes) -> File:
        file = File(
            id=new_file_id(),
            name=name,
            content_type="image/png",
            size=len(content),
            folder=folder,
            access_key=new_token(),
            object_key=f"outputs/{folder}/{name}",
            added=now(),
        )
        self.write(lambda c: loose.announce(c, [file.object_key], now=file.added))
        self.do(self.service.objects.put(file.object_key, content, file.content_type))
        return file


@contextmanager
def start_wire(
    data: Path,
    *,
    models: Path = MODELS,
    sockets: dict[str, Any] | None = None,
    wallet: bool = False,
    quota: Quota = UNLIMITED,
    **options: Any,
) -> Iterator[Wire]:
    """A server in a thread of its own; `options` are those of `create_app`, `sockets` those of uvicorn."""
    database = place_database(data / "wire.db")
    started = threading.Event()
    state: dict[str, Any] = {}

    async def serve() -> None:
        async with AsyncExitStack() as stack:
            service = Service(
                database=await stack.enter_async_context(open_database(f"sqlite:///{database}")),
                bus=MemoryBus(),
                objects=open_objects(data / "files"),
                vault=open_vault(data / "vault.key"),
                catalogue=load_catalogue(models),
                public_url=PUBLIC_URL,
                wallet=wallet,
                quota=quota,
            )
            following = Following(service)
            app = create_app(service, following=following, **{"ready": lambda: True, **options})
            listening = socket.create_server(("127.0.0.1", 0))
            config = uvicorn.Config(
                app,
                loop="none",
                log_config=None,
                lifespan="off",
                **(connection.OPTIONS | keepalive.OPTIONS | (sockets or {})),
            )
            server = uvicorn.Server(config)
            port = listening.getsockname()[1]
            state.update(service=service, following=following, server=server, port=port)
            state["loop"] = asyncio.get_running_loop()
            started.set()  # connections wait in the socket's queue until the server takes them
            async with following.running():
                await server.serve(sockets=[listening])

    def live() -> None:
        with asyncio.Runner(loop_factory=_loop) as runner:
            try:
                runner.run(serve())
            except BaseException as failure:
                state["failure"] = failure
                raise
            finally:
                started.set()

    thread = threading.Thread(target=live, name="wire")
    thread.start()
    started.wait(60)
    if "failure" in state:
        raise RuntimeError("the server did not start") from state["failure"]
    parts = {name: state[name] for name in ("service", "following", "port", "loop")}
    wire = Wire(**parts)
    try:
        yield wire
    finally:
        wire.http.close()
        state["server"].should_exit = True
        thread.join(20)


def _loop() -> asyncio.AbstractEventLoop:
    import uvloop

    return uvloop.new_event_loop()
