"""The LLM proxy as the product wires it, in a process of its own, without its request rate limit.

`python -m bench._proxy_process VENDOR_URL asyncio|uvloop`, the database in BENCH_DATABASE_URL.
"""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Literal, cast

from bench._serving import serve
from clawstack import logs
from clawstack.crypto import MasterKey
from clawstack.plans import load_catalogue
from clawstack.redaction import Redactor
from clawstack.settings import Settings, Upstream
from services.kit.context import Platform
from services.kit.database.connection import Database
from services.kit.vault.service import Vault
from services.run.factory import create_app
from services.run.parts.llm_proxy import create_part
from services.traffic.llm_proxy.limits import InFlight, RateLimit


def _platform(vendor_url: str) -> Platform:
    url = os.environ["BENCH_DATABASE_URL"]
    redactor, master_key = Redactor(), MasterKey(secrets.token_bytes(32))
    logs.configure(redactor=redactor, level="WARNING")
    upstream = Upstream.model_validate({"base_url": vendor_url, "api_key": "sk-bench-bench-bench-bench"})
    settings = Settings(data_dir=Path(tempfile.gettempdir()), llm_upstreams={"openai": upstream})
    database = Database(url)
    return Platform(
        settings=settings,
        catalogue=load_catalogue(),
        database=database,
        redactor=redactor,
        master_key=master_key,
        vault=Vault(master_key=master_key, redactor=redactor),
    )


def main() -> None:
    """Serve until ended."""
    _, vendor_url, loop = sys.argv
    platform = _platform(vendor_url)
    part = create_part(platform, rate_limit=RateLimit(rate=1e9, burst=10**9), in_flight=InFlight(limit=10**6))
    serve(create_app(platform, [part]), loop=cast("Literal['asyncio', 'uvloop']", loop))


if __name__ == "__main__":
    main()
