"""From method and path to handler. Patterns look like `/servers/{id}/actions/poweron`."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from sandbox.hcloud.model.errors import ApiError
from sandbox.hcloud.requests.call import Handler, Route

_VARIABLE: Final = re.compile(r"\{(\w+)\}")


class Router:
    """A table of routes; fixed paths are found at once, others by their patterns."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._patterns: dict[int, list[tuple[re.Pattern[str], dict[str, Handler]]]] = defaultdict(list)
        table: dict[str, dict[str, Handler]] = defaultdict(dict)
        for method, path, handler in routes:
            if method in table[path]:
                raise ValueError(f"{method} {path} is routed twice.")
            table[path][method] = handler
        # Patterns with fewer variables first: `/networks/actions` must not be taken for `/networks/{id}`.
        for path, handlers in sorted(table.items(), key=lambda entry: entry[0].count("{")):
            pattern = re.compile(_VARIABLE.sub(r"(?P<\1>[^/]+)", path))
            self._patterns[path.count("/")].append((pattern, handlers))

    def find(self, method: str, path: str) -> tuple[Handler, Mapping[str, str]]:
        """Return the handler and the variable parts. Raises not_found for a path, method_not_allowed for a method."""
        for pattern, handlers in self._patterns[path.count("/")]:
            if (found := pattern.fullmatch(path)) is not None:
                if method not in handlers:
                    raise ApiError("method_not_allowed", f"{method} is not allowed for this path")
                return handlers[method], found.groupdict()
        raise ApiError("not_found", f"no such endpoint: {path}")
