"""What a noun hands to the factory: routes, mounted applications, background work and jobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

import procrastinate
from fastapi import APIRouter
from starlette.types import ASGIApp


@dataclass(frozen=True, kw_only=True)
class Part:
    """One noun, wired and ready to be joined into a process."""

    name: str
    routers: tuple[APIRouter, ...] = ()
    """Shared by every application of a process: what their endpoints use, they ask the application for."""
    provides: tuple[object, ...] = ()
    """What endpoints may ask for beside the platform, found by type (`services.kit.http.provided`)."""
    mounts: Mapping[str, ASGIApp] = field(default_factory=dict)
    """Path prefix to application, for hot paths that stay clear of FastAPI."""
    lifespan: Callable[[], AbstractAsyncContextManager[None]] | None = None
    """Background work of this noun: entered before the first request, left after the last."""
    register_tasks: Callable[[procrastinate.App], None] | None = None
    """Declares the noun's jobs on the worker's app, as closures over what they need."""
