"""Bodies of the control interface, which all stand-ins read in one place."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from sandbox.frame.control import LARGEST_ORDER, json_body


def _request(body: bytes) -> Request:
    async def receive() -> dict:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


async def test_an_order_is_read_up_to_its_bound_and_refused_above_it() -> None:
    fits = b'{"name": "x"}' + b" " * (LARGEST_ORDER - 13)
    assert await json_body(_request(fits)) == {"name": "x"}
    with pytest.raises(ValueError, match="larger than 1000000 bytes"):
        await json_body(_request(fits + b" "))
