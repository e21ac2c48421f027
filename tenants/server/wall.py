"""The network wall on the machine: the gateway reaches itself and the platform, nothing else (law 3).

nftables judges by the account that opened the connection. The platform's addresses are in sets that the agent fills
from its name, so a platform that moves needs no new wall. The gateway asks no name server, not even a local one, for
questions carry data out: the agent writes the platform's name into a hosts file that is the gateway's own. Hetzner's firewall outside is the second fence: it does not
know accounts.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from tenants.server.places import ACCOUNT, PORT
from tenants.server.settings import InboundRule, ServerSettings


def wall(settings: ServerSettings) -> str:
    """The rules, as `nft -f` reads them. Loading them again replaces them at once, without a gap."""
    platform = ", ".join(str(port) for port in sorted(set(settings.platform_ports)))
    inbound = "".join(f"    {line}\n" for rule in settings.inbound for line in _inbound(rule))
    return f"""\
#!/usr/sbin/nft -f
table inet clawstack
delete table inet clawstack
table inet clawstack {{
  set platform4 {{ type ipv4_addr; }}
  set platform6 {{ type ipv6_addr; }}
  set resolvers4 {{ type ipv4_addr; {_elements(settings.resolvers, 4)}}}
  set resolvers6 {{ type ipv6_addr; {_elements(settings.resolvers, 6)}}}

  chain names {{
    ip daddr @resolvers4 meta l4proto {{ tcp, udp }} th dport 53 accept
    ip6 daddr @resolvers6 meta l4proto {{ tcp, udp }} th dport 53 accept
  }}
  chain platform {{
    ip daddr @platform4 tcp dport {{ {platform} }} accept
    ip6 daddr @platform6 tcp dport {{ {platform} }} accept
  }}
  chain gateway {{
    oif lo tcp dport {PORT} accept
    jump platform
    counter reject with icmpx admin-prohibited
  }}
  chain input {{
    type filter hook input priority filter; policy drop;
    iif lo accept
    ct state established,related accept
    icmp type {{ echo-request, destination-unreachable, time-exceeded }} accept
    icmpv6 type {{ destination-unreachable, packet-too-big, time-exceeded, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert }} accept
    udp sport {{ 67, 547 }} udp dport {{ 68, 546 }} accept
{inbound}  }}
  chain output {{
    type filter hook output priority filter; policy drop;
    ct state established,related accept
    meta skuid "{ACCOUNT}" goto gateway
    oif lo accept
    jump names
    jump platform
    udp dport {{ 67, 123, 547 }} accept
    icmp type echo-request accept
    icmpv6 type {{ echo-request, nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert }} accept
    meta skuid "_apt" tcp dport {{ 80, 443 }} accept
    meta skuid 0 ip daddr 169.254.169.254 tcp dport 80 accept
  }}
  chain forward {{
    type filter hook forward priority filter; policy drop;
  }}
}}
"""


def _elements(addresses: Iterable[str], version: int) -> str:
    found = [address for address in addresses if ipaddress.ip_address(address).version == version]
    return f"elements = {{ {', '.join(found)} }} " if found else ""


def _inbound(rule: InboundRule) -> list[str]:
    lines = []
    for version, family in ((4, "ip"), (6, "ip6")):
        found = [source for source in rule.sources if ipaddress.ip_network(source).version == version]
        if found:
            lines.append(f"{family} saddr {{ {', '.join(found)} }} {rule.protocol} dport {rule.port} accept")
    return lines
