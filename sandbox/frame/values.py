"""JSON as it travels."""

from typing import Any

Json = dict[str, Any]
