"""The one factory: everything that a process consists of is wired here, and nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from clawstack.crypto import MasterKey, load_or_create_master_key, parse_master_key, read_master_key
from clawstack.errors import NeedsAttentionError
from clawstack.plans import load_catalogue
from clawstack.redaction import Redactor
from clawstack.settings import Profile, Settings
from services.cells.substrates.registry import Drivers, check_substrates
from services.kit.context import Platform
from services.kit.database.connection import Database
from services.kit.vault.service import Vault
from services.run.context import ProcessPlatform
from services.run.roles import Role

if TYPE_CHECKING:  # commands build a platform without serving it, and need not load FastAPI for that
    from fastapi import FastAPI

    from services.kit.parts import Part

VERSION = "0.1.0"

#: Modules of `services.run.parts` by the role that serves their routes and runs their loops. The worker runs the jobs
#: of all of them.
PARTS: Mapping[Role, tuple[str, ...]] = {
    Role.API: ("access", "billing", "signups", "provisioner", "machines", "backups", "overview"),
    Role.PROXY: ("llm_proxy",),
    Role.ROUTER: ("telegram",),
    Role.WORKER: ("notifications", "health"),
}


def build_platform(settings: Settings, *, database_url: str, redactor: Redactor | None = None) -> ProcessPlatform:
    """The things that every noun may use; opens no connection yet. Raises as `check_substrates` and `load_master_key`."""
    redactor = redactor or Redactor()
    redactor.register(*settings.secret_values())
    catalogue = load_catalogue()
    check_substrates(settings, catalogue)
    master_key = load_master_key(settings)
    database = Database(database_url, most=settings.database_pool)
    return ProcessPlatform(
        settings=settings,
        catalogue=catalogue,
        database=database,
        redactor=redactor,
        master_key=master_key,
        vault=Vault(master_key=master_key, redactor=redactor),
        drivers=Drivers(settings, database),
    )


def load_master_key(settings: Settings) -> MasterKey:
    """The master key from the environment, from a file, or (development only) from a file made on first start."""
    if settings.master_key is not None:
        return parse_master_key(settings.master_key.get_secret_value())
    if settings.master_key_file is not None:
        return read_master_key(settings.master_key_file)
    if settings.profile is Profile.PRODUCTION:
        raise NeedsAttentionError("Production needs CLAWSTACK_MASTER_KEY.", code="bad_settings")
    return load_or_create_master_key(settings.data_dir / "master.key")


def build_parts(platform: ProcessPlatform, roles: Iterable[Role]) -> tuple[Part, ...]:
    """The parts of these roles, in one order. A part's module is imported only by processes that run it."""
    return tuple(_create_part(module, platform) for role in sorted(roles) for module in PARTS[role])


def _create_part(module: str, platform: ProcessPlatform) -> Part:
    create: Callable[[ProcessPlatform], Part] = import_module(f"services.run.parts.{module}").create_part
    return create(platform)


def create_app(platform: Platform, parts: Iterable[Part]) -> FastAPI:
    """The ASGI application of these parts."""
    from fastapi import FastAPI  # late: a third of the start of commands that serve nothing

    from services.kit.http import errors, openapi
    from services.kit.http.intake import BodyCeiling, BoundedRoute
    from services.kit.http.middleware import SecurityHeaders
    from services.kit.http.provided import provide

    parts = tuple(parts)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for part in parts:
                if part.lifespan is not None:
                    await stack.enter_async_context(part.lifespan())
            yield

    app = FastAPI(
        title="clawstack",
        version=VERSION,
        summary="Hosted OpenClaw assistants: tenants, operations, usage.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.router.route_class = BoundedRoute
    ceiling = BodyCeiling(max_bytes=platform.settings.max_body_bytes)
    provide(app, (platform, ceiling, *(thing for part in parts for thing in part.provides)))
    errors.install(app, platform.redactor)
    openapi.install(app)
    mounts = {path: app_ for part in parts for path, app_ in part.mounts.items()}
    for part in parts:
        for router in part.routers:
            app.include_router(router)
    for path, mounted in mounts.items():
        app.mount(path, mounted)
    app.add_middleware(SecurityHeaders)
    return app
