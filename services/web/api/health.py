"""`/healthz` (this process lives), `/readyz` (it can serve), `/metrics` (Prometheus). Public: they name nobody."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from clawstack.errors import TemporaryError
from services.kit.http.intake import BoundedRoute
from services.web.dependencies.process import PlatformDep

router = APIRouter(route_class=BoundedRoute, tags=["health"])


@router.get("/healthz")
async def healthz(request: Request) -> dict[str, str]:
    """This process answers."""
    return {"status": "ok", "version": request.app.version}


@router.get("/readyz", responses={503: {"description": "Not ready.", "content": {"application/json": {}}}})
async def readyz(platform: PlatformDep) -> JSONResponse:
    """The database answers too; 503 while it does not."""
    try:
        await platform.database.ping()
    except TemporaryError as error:
        return JSONResponse({"status": "not ready", "reason": error.message}, 503, headers={"Retry-After": "1"})
    return JSONResponse({"status": "ready"})


@router.get("/metrics", response_class=PlainTextResponse)
async def prometheus(platform: PlatformDep) -> Response:
    """Counters of this process, without names of customers or tenants."""
    return Response(generate_latest(platform.metrics), media_type=CONTENT_TYPE_LATEST)
