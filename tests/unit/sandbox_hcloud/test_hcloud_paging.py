import pytest

from sandbox.hcloud.model.errors import ApiError
from sandbox.hcloud.model.ratelimit import RateLimit
from sandbox.hcloud.requests.paging import page_of, sorted_rows

ROWS = [{"id": number, "name": f"n{number % 3}", "size": None if number == 2 else number} for number in range(1, 8)]


def test_pages_cover_everything_once_and_say_where_they_are():
    seen, page = [], 1
    while page:
        rows, meta = page_of(ROWS, page=str(page), per_page="3")
        seen += [row["id"] for row in rows]
        pagination = meta["pagination"]
        assert (pagination["total_entries"], pagination["last_page"]) == (7, 3)
        assert pagination["previous_page"] == (page - 1 or None)
        page = pagination["next_page"] or 0
    assert seen == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize(("asked", "given"), [("", 25), ("50", 50), ("500", 50)])
def test_a_page_has_25_rows_and_never_more_than_50(asked: str, given: int):
    assert page_of(ROWS, page="", per_page=asked)[1]["pagination"]["per_page"] == given


def test_an_empty_list_has_one_empty_page():
    rows, meta = page_of([], page="", per_page="")
    assert rows == []
    assert (meta["pagination"]["last_page"], meta["pagination"]["next_page"]) == (1, None)


@pytest.mark.parametrize("page", ["0", "-1", "x", "1.5"])
def test_a_page_that_is_no_number_is_refused(page: str):
    with pytest.raises(ApiError, match="page"):
        page_of(ROWS, page=page, per_page="")


def test_order_is_by_the_first_wish_then_the_second():
    ordered = sorted_rows(ROWS, ["name:desc", "id:desc"], ("id", "name"))
    assert [row["name"] for row in ordered] == ["n2", "n2", "n1", "n1", "n1", "n0", "n0"]
    assert [row["id"] for row in ordered if row["name"] == "n1"] == [7, 4, 1]
    assert sorted_rows(ROWS, ["size"], ("size",))[0]["id"] == 2  # what has no value comes first


@pytest.mark.parametrize("wish", ["colour", "id:up"])
def test_an_unknown_order_is_refused(wish: str):
    with pytest.raises(ApiError, match="sort"):
        sorted_rows(ROWS, [wish], ("id",))


def test_the_bucket_empties_refuses_and_fills_by_one_a_second():
    rate = RateLimit(limit=3, left=3.0, at=100.0)
    for _ in range(3):
        rate.take(100.0)
    with pytest.raises(ApiError) as caught:
        rate.take(100.5)
    assert (caught.value.status, caught.value.code) == (429, "rate_limit_exceeded")
    rate.take(101.0)
    with pytest.raises(ApiError):
        rate.take(101.5)
    assert rate.headers(1000.0)["RateLimit-Remaining"] == "3"


def test_the_headers_tell_when_it_is_full_again():
    rate = RateLimit(limit=3600, left=3600.0, at=100.0)
    rate.take(100.0)
    rate.take(100.0)
    assert rate.headers(100.0) == {"RateLimit-Limit": "3600", "RateLimit-Remaining": "3598", "RateLimit-Reset": "102"}
