"""Who gets a place, and who yields it."""

from __future__ import annotations

import resource

import pytest

from clawstack.errors import NeedsAttentionError
from clawstack.settings import Settings, load_settings
from services.kit.http import connections
from services.kit.http.connections import ConnectionLimits, Gate, affordable, raise_descriptor_limit
from services.run.serving import server_config


class Connection:
    """Remembers that it was ended."""

    ended = False

    def give_up(self) -> None:
        self.ended = True


def entered(gate: Gate, *addresses: str) -> list[Connection]:
    held = [Connection() for _ in addresses]
    assert all(gate.enter(connection, address) for connection, address in zip(held, addresses, strict=True))
    return held


def test_a_full_house_ends_the_longest_silence_and_never_work() -> None:
    gate = Gate(ConnectionLimits(total=3, per_address=9))
    first, second, third = entered(gate, "192.0.2.1", "127.0.0.1", "::1")
    gate.works(first)
    gate.waits(second)  # it has just had an answer
    entered(gate, "192.0.2.9")
    assert [first.ended, second.ended, third.ended] == [False, False, True]
    assert len(gate) == 3


def test_when_all_work_the_next_is_refused_until_one_leaves() -> None:
    gate = Gate(ConnectionLimits(total=2, per_address=9))
    held = entered(gate, "127.0.0.1", "127.0.0.1")
    for connection in held:
        gate.works(connection)
    assert not gate.enter(Connection(), "127.0.0.1")
    gate.leave(held[0])
    gate.leave(held[0])
    assert gate.enter(Connection(), "127.0.0.1")


def test_one_address_takes_no_more_than_its_own_share() -> None:
    limits = ConnectionLimits(
        total=100, per_address=2, shared=Settings(trusted_proxies="10.0.0.0/8").trusted_networks()
    )
    gate = Gate(limits)
    mine = entered(gate, "192.0.2.1", "192.0.2.1")
    other = entered(gate, "192.0.2.2")
    entered(gate, "192.0.2.1")
    assert [mine[0].ended, mine[1].ended, other[0].ended] == [True, False, False]
    gate = Gate(limits)
    for connection in entered(gate, "2001:db8::1", "2001:db8::2"):
        gate.works(connection)
    assert not gate.enter(Connection(), "2001:db8::3")
    for address in ("127.0.0.1", "10.1.2.3"):  # they stand for many
        for connection in entered(gate, *[address] * 5):
            gate.works(connection)


def test_half_of_the_descriptors_are_for_our_own_work(monkeypatch: pytest.MonkeyPatch) -> None:
    assert affordable(1024, wanted=4096) == 384
    assert affordable(65_536, wanted=4096) == 4096
    assert affordable(64, wanted=4096) == 16
    set_to: list[tuple[int, int]] = []
    monkeypatch.setattr(connections.resource, "setrlimit", lambda _, limits: set_to.append(limits))
    for soft, hard, given in ((1024, 4096, 4096), (1024, resource.RLIM_INFINITY, 65_536), (5000, 5000, 5000)):
        monkeypatch.setattr(connections.resource, "getrlimit", lambda _, limits=(soft, hard): limits)
        assert raise_descriptor_limit() == given
    assert set_to == [(4096, 4096), (65_536, resource.RLIM_INFINITY)]


def test_no_proxy_is_believed_unless_it_is_named() -> None:
    async def app(*_: object) -> None:
        raise NotImplementedError

    assert server_config(app, Settings()).proxy_headers is False
    named = server_config(app, Settings(trusted_proxies="127.0.0.1, 10.0.0.0/8"))
    assert (named.proxy_headers, named.forwarded_allow_ips) == (True, ["127.0.0.1/32", "10.0.0.0/8"])
    for wrong in ("0.0.0.0/0", "::/0", "*", "10.0.0.1/8", "proxy.example.com"):
        with pytest.raises(NeedsAttentionError, match="CLAWSTACK_TRUSTED_PROXIES"):
            load_settings({}, trusted_proxies=wrong)
