"""`/v1/servers/{slug}/...`: what machines call. A mounted application of its own: archives are larger than other bodies."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from clawstack.errors import ClawstackError, InvalidInputError
from clawstack.logs import get_logger
from services.cells.machines.errors import unknown_machine
from services.cells.machines.schemas import BootRequest, MachineReport, OrderAnswer, PhoneHome, Upload
from services.cells.machines.service import LockFiles, MachineDesk
from services.cells.machines.uploads import ArchiveIntake
from services.kit.http.bearer import bearer_token
from services.kit.http.bodies import pieces, read_body
from services.kit.http.errors import error_body, response_of
from services.kit.http.provided import find, provide

log = get_logger(__name__)

MOUNT: Final = "/v1/servers"
_JSON_BYTES: Final = 16 * 1024
_LOG_BYTES: Final = 256 * 1024
_SLOWEST_CHUNK_SECONDS: Final = 60.0
#: A bundle holds keys: nobody on the way may keep it.
_UNCACHED: Final = {"Cache-Control": "no-store"}

Handler = Callable[[Request], Awaitable[Response]]


def machines_app(*, desk: MachineDesk, intake: ArchiveIntake, lock_files: LockFiles) -> Starlette:
    """The application to mount at `/v1/servers`."""
    routes: tuple[tuple[str, str, Handler], ...] = (
        ("POST", "/{slug}/boot", boot),
        ("GET", "/{slug}/bundle", bundle),
        ("GET", "/{slug}/lockfile", lockfile),
        ("POST", "/{slug}/phone-home", phone_home),
        ("POST", "/{slug}/poll", poll),
        ("POST", "/{slug}/orders/{number:int}", order),
        ("POST", "/{slug}/logs", logs),
        ("PUT", "/{slug}/backups", backup),
        ("GET", "/{slug}/restore", restore),
    )
    app = Starlette(routes=[Route(path, _guarded(handler), methods=[verb]) for verb, path, handler in routes])
    provide(app, (desk, intake, lock_files))
    return app


async def boot(request: Request) -> Response:
    """The one exchange of a boot token for a bundle."""
    presented = _bearer(request)
    wanted = BootRequest.read(await _body(request, _JSON_BYTES))
    address = request.client.host if request.client else "unknown"
    bundle = await find(request, MachineDesk).exchange(_slug(request), presented, wanted, address=address)
    return JSONResponse(bundle, headers=_UNCACHED)


async def bundle(request: Request) -> Response:
    """The bundle, for the machine that serves the cell."""
    return JSONResponse(await find(request, MachineDesk).bundle(_slug(request), _bearer(request)), headers=_UNCACHED)


async def lockfile(request: Request) -> Response:
    """What OpenClaw is installed from."""
    await find(request, MachineDesk).admit(_slug(request), _bearer(request))
    return JSONResponse(await asyncio.to_thread(find(request, LockFiles).document))


async def phone_home(request: Request) -> Response:
    """Ready, or failed and why."""
    presented = _bearer(request)
    message = PhoneHome.read(await _body(request, _JSON_BYTES))
    await find(request, MachineDesk).phone_home(_slug(request), presented, message)
    return JSONResponse({})


async def poll(request: Request) -> Response:
    """A report for orders."""
    presented = _bearer(request)
    report = MachineReport.read(await _body(request, _JSON_BYTES))
    return JSONResponse((await find(request, MachineDesk).poll(_slug(request), presented, report)).document())


async def order(request: Request) -> Response:
    """How an order ended."""
    presented = _bearer(request)
    answer = OrderAnswer.read(await _body(request, _JSON_BYTES))
    await find(request, MachineDesk).finish(_slug(request), presented, request.path_params["number"], answer)
    return JSONResponse({})


async def logs(request: Request) -> Response:
    """A piece of the gateway's log."""
    presented = _bearer(request)
    await find(request, MachineDesk).admit(_slug(request), presented)
    raw = await _body(request, _LOG_BYTES)
    await find(request, MachineDesk).add_log(_slug(request), presented, raw.decode(errors="replace"))
    return JSONResponse({})


async def backup(request: Request) -> Response:
    """An archive, sealed for the tenant."""
    boot = await find(request, MachineDesk).admit(_slug(request), _bearer(request))
    upload = Upload(
        sha256=request.headers.get("x-sha256", ""),
        plain_sha256=request.headers.get("x-plain-sha256", ""),
        openclaw_version=request.headers.get("x-openclaw-version", ""),
    )
    manifest = await find(request, ArchiveIntake).receive(boot, upload, _archive(request))
    return JSONResponse({"archive": manifest.archive}, 201)


async def restore(request: Request) -> Response:
    """The archive that a new cell begins with."""
    return FileResponse(await find(request, MachineDesk).restore(_slug(request), _bearer(request)), headers=_UNCACHED)


def _guarded(handler: Handler) -> Handler:
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except ClawstackError as error:
            return response_of(error)
        except (ClientDisconnect, TimeoutError):
            return JSONResponse(error_body("request_timeout", "The body did not arrive in time."), 408)

    return answer


def _slug(request: Request) -> str:
    slug: str = request.path_params["slug"]
    return slug


def _bearer(request: Request) -> str:
    token = bearer_token(request.headers.raw)
    if token is None:
        raise unknown_machine()
    return token


async def _body(request: Request, limit: int) -> bytes:
    body = await read_body(request.scope, request.receive, limit=limit)
    if not body:
        raise InvalidInputError("The body is empty.")
    return body


def _archive(request: Request) -> AsyncIterator[bytes]:
    """The body piece by piece; how large it may be is the intake's business."""
    return pieces(request.scope, request.receive, limit=sys.maxsize, seconds=_SLOWEST_CHUNK_SECONDS)
