"""What a principal may do and see, and which headers carry a token."""

from __future__ import annotations

import uuid

import pytest
from starlette.requests import Request

from clawstack.errors import AuthenticationError, NotFoundError
from services.business.access.schemas import CUSTOMER_SCOPES, Principal, PrincipalKind, Scope
from services.web.dependencies.callers import bearer_of


def principal(*scopes: str, customer_id: uuid.UUID | None = None) -> Principal:
    kind: PrincipalKind = "operator" if customer_id is None else "customer"
    return Principal(key="k", name="n", kind=kind, customer_id=customer_id, scopes=frozenset(scopes))


def request(*headers: tuple[str, bytes]) -> Request:
    raw = [(name.encode(), value) for name, value in headers]
    return Request({"type": "http", "method": "GET", "path": "/", "query_string": b"access_token=x", "headers": raw})


def test_admin_implies_every_scope_and_a_plain_scope_only_itself() -> None:
    assert all(principal(Scope.ADMIN).allows(scope) for scope in Scope)
    assert [scope for scope in Scope if principal(Scope.TENANTS_READ).allows(scope)] == [Scope.TENANTS_READ]
    assert Scope.ADMIN not in CUSTOMER_SCOPES


def test_a_customer_sees_its_own_things_only() -> None:
    mine, theirs = uuid.uuid4(), uuid.uuid4()
    customer = principal("tenants:read", customer_id=mine)
    assert customer.may_see(mine)
    assert not customer.may_see(theirs)
    assert not customer.may_see(None)
    assert principal("tenants:read").may_see(theirs)
    with pytest.raises(NotFoundError, match="There is no tenant kim"):
        customer.require_sight(theirs, what="tenant kim")


def test_a_customer_principal_without_a_customer_sees_nothing_even_unowned_things() -> None:
    lost = Principal(key="k", name="n", kind="customer", customer_id=None, scopes=frozenset())
    assert not lost.may_see(None)
    assert not lost.may_see(uuid.uuid4())


@pytest.mark.parametrize("scheme", [b"Bearer ", b"bearer ", b"BEARER "])
def test_the_scheme_is_read_without_regard_to_case(scheme: bytes) -> None:
    assert bearer_of(request(("authorization", scheme + b"abc"))) == "abc"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("authorization", b"")],
        [("authorization", b"Bearer")],
        [("authorization", b"Bearer ")],
        [("authorization", b"Basic YWJj")],
        [("authorization", b"abc")],
        [("authorization", b"Bearer a"), ("authorization", b"Bearer b")],
        [("cookie", b"token=abc"), ("x-api-key", b"abc")],
    ],
)
def test_anything_but_one_bearer_header_is_no_token(headers: list[tuple[str, bytes]]) -> None:
    with pytest.raises(AuthenticationError, match="needs a token"):
        bearer_of(request(*headers))
