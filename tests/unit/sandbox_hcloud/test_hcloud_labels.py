import pytest

from sandbox.hcloud.model.errors import ApiError
from sandbox.hcloud.requests.labels import checked_labels, parsed_selector

LABELS = {"env": "prod", "tier": "web", "example.com/owner": "pat", "empty": ""}


@pytest.mark.parametrize(
    ("selector", "fits"),
    [
        ("env=prod", True),
        ("env==prod", True),
        ("env = prod", True),
        ("env=dev", False),
        ("env!=dev", True),
        ("env!=prod", False),
        ("absent!=x", True),
        ("env", True),
        ("absent", False),
        ("!absent", True),
        ("!env", False),
        ("env in (dev, prod)", True),
        ("env in (dev)", False),
        ("env notin (dev)", True),
        ("env notin (dev,prod)", False),
        ("absent notin (x)", True),
        ("absent in (x)", False),
        ("empty=", True),
        ("env=", False),
        ("example.com/owner=pat", True),
        ("env in (dev,prod),tier=web,!absent", True),
        ("env in (dev,prod),tier=db", False),
    ],
)
def test_a_selector_means_what_kubernetes_means(selector: str, fits: bool):
    assert parsed_selector(selector)(LABELS) is fits


@pytest.mark.parametrize("selector", ["env=(prod)", "env in prod", "=prod", "env===prod", "a b", ",", "env in (a"])
def test_an_unreadable_selector_is_refused_by_name(selector: str):
    with pytest.raises(ApiError, match="label_selector"):
        parsed_selector(selector)


@pytest.mark.parametrize("labels", [{"a": "b"}, {"example.com/a-b_c.d": ""}, {"a" * 63: "b" * 63}, {}, None])
def test_valid_labels_pass(labels: object):
    assert checked_labels(labels) == (labels or {})


@pytest.mark.parametrize(
    "labels", [{"-a": "b"}, {"a": "b c"}, {"a" * 64: "b"}, {"a": "b" * 64}, {"a": 1}, {"": "b"}, ["a"], {"a/b/c": "d"}]
)
def test_wrong_labels_are_refused(labels: object):
    with pytest.raises(ApiError) as caught:
        checked_labels(labels)
    assert caught.value.code == "invalid_input"
    assert caught.value.details is not None
    assert caught.value.details["fields"][0]["name"] == "labels"
