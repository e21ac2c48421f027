"""Serves the router until it is killed; prints its root URL. Settings come from CLAWSTACK_* as in production."""

from __future__ import annotations

import asyncio
import sys

import uvicorn

from clawstack.settings import load_settings
from services.run.factory import build_platform, create_app
from services.run.parts.telegram import create_part


async def main() -> None:
    settings = load_settings()
    assert settings.database_url is not None
    platform = build_platform(settings, database_url=settings.database_url.get_secret_value())
    config = uvicorn.Config(create_app(platform, [create_part(platform)]), port=0, log_config=None)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    sys.stdout.write(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await task


if __name__ == "__main__":
    asyncio.run(main())
