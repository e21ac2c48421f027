"""What an endpoint is: address, parameters, and the function that answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from sandbox.stripe.model.errors import ApiError
from sandbox.stripe.model.forms import Params
from sandbox.stripe.model.values import Json, list_of
from sandbox.stripe.store.account import Account
from sandbox.stripe.store.repository import Condition, Page

PAGING = ("limit", "starting_after", "ending_before")
MAX_PAGE = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One request, read and checked as far as all requests are."""

    account: Account
    params: Params
    path: dict[str, str]
    url: str
    """The request's path, which listings repeat."""
    base: str
    """Prefix of the stand-in's pages, without a slash at the end."""

    @property
    def id(self) -> str:
        """The object named in the address."""
        return self.path["id"]


Handler = Callable[[Call], Json]


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One row of the API's table."""

    method: str
    path: str
    handler: Handler
    takes: tuple[str, ...] = ()
    """Parameters that have their effect."""
    ignores: tuple[str, ...] = ()
    """Parameters accepted without any effect here: only those that change wording, tax or looks."""
    requires: tuple[str, ...] = ()
    params: str = ""
    """Dotted name below `stripe.params` of the class that knows every parameter Stripe takes here."""

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The address as a regular expression."""
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path))


def page_of(params: Params) -> Page:
    """The paging parameters. Raises ApiError for a limit outside 1 to 100."""
    limit = params.whole("limit")
    if limit is not None and not 1 <= limit <= MAX_PAGE:
        message = f"This value must be {'greater than or equal to 1' if limit < 1 else 'less than or equal to 100'}."
        raise ApiError(message, code="parameter_invalid_integer", param="limit")
    return Page(
        limit=limit or 10, starting_after=params.text("starting_after"), ending_before=params.text("ending_before")
    )


def created_conditions(params: Params, field_name: str = "created") -> list[Condition]:
    """`created=1` or `created[gte]=1` and the like."""
    value = params.values.get(field_name)
    if value is None:
        return []
    if not isinstance(value, dict):
        return [Condition(field=field_name, operator="=", value=params.whole(field_name))]
    operators = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
    child = Params(value, field_name)
    return [
        Condition(field=field_name, operator=sign, value=child.whole(name))
        for name, sign in operators.items()
        if name in child
    ]


def equal(params: Params, *names: str, **renamed: str) -> list[Condition]:
    """Equality filters for those of `names` that were given; `renamed` maps a parameter to a JSON path."""
    paths = {**{name: name for name in names}, **renamed}
    return [
        Condition(field=path, operator="=", value=params.text(name)) for name, path in paths.items() if name in params
    ]


def listing(call: Call, kind: str, conditions: list[Condition]) -> Json:
    """One page of `kind`. Raises resource_missing for a cursor that names nothing."""
    page = page_of(call.params)
    for name, cursor in (("starting_after", page.starting_after), ("ending_before", page.ending_before)):
        if cursor:
            call.account.need(cursor, kind, param=name)
    found, more = call.account.objects.find(kind, conditions, page=page)
    return list_of(found, call.url, has_more=more)
