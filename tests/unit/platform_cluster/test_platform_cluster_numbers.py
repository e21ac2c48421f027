"""Cost, time and certificates: pure functions with numbers that can be checked by hand."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from cryptography import x509

from clawstack.cluster import pki
from clawstack.cluster.cost import estimate_cost
from clawstack.cluster.model import LIMIT_PER_HOUR, SHARE_OF_LIMIT, Shape, forecast, main, poll_interval, request_count
from clawstack.cluster.offers import shipped_offers
from clawstack.cluster.reading import parse_cluster
from clawstack.errors import PermanentError
from tests.unit.platform_cluster.examples import large_cluster, raw_cluster

DAY = dt.date(2026, 11, 21)


def test_one_node_costs_its_server_and_its_address():
    estimate = estimate_cost(parse_cluster(raw_cluster()))
    assert estimate.total() == Decimal("6.49")  # 4.99, a fifth of it for backups, 0.50 for the address
    assert [line.what for line in estimate.lines] == [
        "cx33 at fsn1",
        "daily backups of a control plane",
        "public IPv4 address",
    ]


def test_a_large_cluster_costs_the_sum_of_its_parts():
    estimate = estimate_cost(parse_cluster(large_cluster()))
    servers = 3 * Decimal("4.99") * Decimal("1.2") + 12 * Decimal("10.49") + Decimal("5.99") + Decimal("2.99")
    addresses = 5 * Decimal("0.50")  # three control planes, data-1 and the gateway; cells have none
    balancer, volume = Decimal("5.39"), 50 * Decimal("0.0440")
    assert estimate.total() == (servers + addresses + balancer + volume).quantize(Decimal("0.01"))
    document = estimate.document()
    assert document["pricesAsOf"] == shipped_offers().as_of.isoformat()
    assert sum(Decimal(line["total"]) for line in document["lines"]).quantize(Decimal("0.01")) == estimate.total()


def test_a_type_without_a_price_is_an_error_and_never_costs_nothing():
    offers = shipped_offers()
    types = {**offers.server_types, "cx33": offers.server_types["cx33"].model_copy(update={"monthly": {}})}
    with pytest.raises(PermanentError, match="cx33 has no price at fsn1"):
        estimate_cost(parse_cluster(raw_cluster()), offers.model_copy(update={"server_types": types}))


@pytest.mark.parametrize("nodes", [1, 3, 10, 30, 100])
def test_an_update_leaves_the_controllers_their_share_of_the_limit(nodes):
    shape = Shape(control_planes=min(nodes, 3), workers=max(nodes - 3, 0))
    assert forecast(shape).requests <= LIMIT_PER_HOUR * SHARE_OF_LIMIT
    assert forecast(shape).share <= SHARE_OF_LIMIT


def test_looking_less_often_needs_fewer_requests():
    shape = Shape(control_planes=3, workers=97)
    counts = [request_count(shape, interval) for interval in (0.5, 1.0, 2.0, 5.0)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > LIMIT_PER_HOUR, "half a second would use up the limit; that is why the interval grows"
    assert poll_interval(1) < poll_interval(100)


def test_the_table_is_printed(capsys):
    main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["1", "10", "100"]


def test_more_parallel_work_is_never_slower():
    slow = forecast(Shape(control_planes=3, workers=97, parallel=4))
    fast = forecast(Shape(control_planes=3, workers=97, parallel=16))
    assert fast.create_minutes < slow.create_minutes


def test_equal_seeds_make_equal_certificates_and_others_make_others():
    one, same = (pki.authority(b"s" * 32, name="ca", issued=DAY) for _ in range(2))
    assert one == same
    assert pki.authority(b"t" * 32, name="ca", issued=DAY).key != one.key
    assert pki.authority(b"s" * 32, name="other", issued=DAY).key != one.key


def test_the_administrator_is_signed_and_lasts_a_year():
    authority = pki.authority(b"s" * 32, name="ca", issued=DAY)
    admin = pki.administrator(b"a" * 32, signed_by=authority, issued=DAY)
    assert admin == pki.administrator(b"a" * 32, signed_by=authority, issued=DAY)
    certificate = x509.load_pem_x509_certificate(admin.certificate.encode())
    issuer = x509.load_pem_x509_certificate(authority.certificate.encode())
    certificate.verify_directly_issued_by(issuer)
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == dt.timedelta(days=365)
    assert certificate.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)[0].value == "system:masters"
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.ExtendedKeyUsageOID.CLIENT_AUTH]
    assert issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_key_pair_never_shows_its_key():
    assert "PRIVATE" not in repr(pki.authority(b"s" * 32, name="ca", issued=DAY))
