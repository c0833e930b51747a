"""Addresses of those who ask, in the one form in which they are compared."""

from __future__ import annotations

import ipaddress


def plain_address(address: str) -> str:
    """Return an address as its host has it: a server on `::` sees IPv4 within IPv6.

    >>> plain_address("::ffff:10.0.0.5"), plain_address("2001:db8::1"), plain_address("a")
    ('10.0.0.5', '2001:db8::1', 'a')
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    within = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(within or found)


def neighbourhood(address: str) -> str:
    """Return the address, or its network where one host has as many as it likes (IPv6).

    >>> neighbourhood("10.0.0.5"), neighbourhood("2001:db8:1:2:3::4")
    ('10.0.0.5', '2001:db8:1:2::/64')
    """
    try:
        found = ipaddress.ip_address(plain_address(address))
    except ValueError:
        return address
    if found.version == 4:  # noqa: PLR2004  # IPv4
        return str(found)
    return str(ipaddress.ip_network((int(found), 64), strict=False))
