"""OpenClaw's own files for a cell, built by pure functions: configuration, workspace, environment.

Here belongs everything that knows a key of `openclaw.json`, a workspace file or an environment variable of the
gateway. Not here: where these are written (`tenants.process_provider`) and what a bundle says (`tenants.bundles`).
"""

from tenants.openclaw.config import build_config
from tenants.openclaw.environment import environment
from tenants.openclaw.workspace import build_workspace

__all__ = ["build_config", "build_workspace", "environment"]
