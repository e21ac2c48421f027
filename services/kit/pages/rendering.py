"""Pages: templates with one look, escaped by default, under a content policy that lets no foreign or inline script run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope
from typing_extensions import override

STATIC_PATH: Final = "/static"
_HERE: Final = Path(__file__).parent
_STATIC: Final = _HERE / "static"
_TITLES: Final = {
    400: "That did not work",
    403: "That is not allowed",
    404: "There is nothing here",
    409: "That does not fit right now",
    413: "That is too much at once",
    422: "Something is not filled in right",
    429: "A little slower, please",
    503: "Not possible at the moment",
}


class Pages:
    """Renders templates of one or more nouns on the common base."""

    def __init__(self, *folders: Path, form_targets: tuple[str, ...] = ()) -> None:
        """`folders`: template folders beside the common one; `form_targets`: origins that a form may lead on to.

        Browsers apply `form-action` to the redirect that answers a form, too: Stripe's page must be named.
        """
        self._environment = Environment(
            loader=FileSystemLoader([*folders, _HERE / "templates"]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals["asset"] = self.asset
        self._policy = "; ".join(
            (
                "default-src 'none'",
                "script-src 'self'",
                "style-src 'self'",
                "img-src 'self'",
                "connect-src 'self'",
                "form-action " + " ".join(("'self'", *form_targets)),
                "base-uri 'none'",
                "frame-ancestors 'none'",
            )
        )

    def html(self, template: str, context: Mapping[str, Any]) -> str:
        """A rendered template."""
        return self._environment.get_template(template).render(context)

    def response(self, template: str, context: Mapping[str, Any], *, status: int = 200) -> Response:
        """A page, never stored by caches: most show somebody's own data."""
        return self.respond(self.html(template, context), status=status)

    def respond(self, html: str, *, status: int = 200) -> Response:
        """Rendered text as an answer with the headers of a page."""
        headers = {
            "Content-Security-Policy": self._policy,
            "Cache-Control": "no-store",
            "Referrer-Policy": "same-origin",
        }
        return HTMLResponse(html, status_code=status, headers=headers)

    def error(self, *, status: int, message: str, remedy: str | None = None) -> Response:
        """The error page: what happened and what to do, in the look of all other pages."""
        title = _TITLES.get(status, "Something went wrong on our side" if status >= 500 else "That did not work")  # noqa: PLR2004
        context = {"status": status, "title": title, "message": message, "remedy": remedy}
        return self.response("error.html", context, status=status)

    def asset(self, name: str) -> str:
        """Address of a static file; it changes with the content, so that browsers may keep it for good."""
        return f"{STATIC_PATH}/{name}?v={self._digests[name]}"

    @cached_property
    def _digests(self) -> dict[str, str]:
        files = (path for path in _STATIC.iterdir() if path.is_file())
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:12] for path in files}


class StaticPages(StaticFiles):
    """The static files, kept by browsers when asked for by the address that `asset` gives."""

    def __init__(self) -> None:
        super().__init__(directory=_STATIC)

    @override
    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file; with a version in the address it never changes."""
        response = await super().get_response(path, scope)
        versioned = scope.get("query_string", b"").startswith(b"v=")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if versioned else "no-cache"
        return response
