"""`/healthz` (this process lives), `/readyz` (it can serve), `/metrics` (Prometheus). Public: they name nobody."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from clawstack.errors import TemporaryError
from services.kit.database.connection import Database


def create_router(*, database: Database, metrics: CollectorRegistry, version: str) -> APIRouter:
    """Routes for probes and Prometheus."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        """This process answers."""
        return {"status": "ok", "version": version}

    @router.get("/readyz")
    async def readyz() -> JSONResponse:
        """The database answers too; 503 while it does not."""
        try:
            await database.ping()
        except TemporaryError as error:
            return JSONResponse({"status": "not ready", "reason": error.message}, 503, headers={"Retry-After": "1"})
        return JSONResponse({"status": "ready"})

    @router.get("/metrics")
    async def prometheus() -> Response:
        """Counters of this process, without names of customers or tenants."""
        return Response(generate_latest(metrics), media_type=CONTENT_TYPE_LATEST)

    return router
