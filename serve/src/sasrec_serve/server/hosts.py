"""Names under which a server is asked, so that pages of other sites cannot pretend to be its own.

A page at ``http://shop.example:8000`` may ask that address. If its owner lets the name point to
127.0.0.1 afterwards (DNS rebinding), the visitor's browser asks a server on the loopback interface,
and takes its answers for those of the page. The header ``Host`` still has the name.
"""

from __future__ import annotations

import ipaddress
import socket


def is_loopback(listening: socket.socket) -> bool:
    """Return whether only this machine reaches a socket.

    Args:
        listening: The socket.
    """
    return ipaddress.ip_address(listening.getsockname()[0].split("%")[0]).is_loopback


def host_name(host: str) -> str:
    """Return the name in a header ``Host``: in lower case, without a port and a dot at its end.

    Args:
        host: The value of the header.
    """
    name = host if host.startswith("[") else host.partition(":")[0]
    return name.strip().rstrip(".").lower()


def is_own_name(name: str) -> bool:
    """Return whether no other site can have a name: an address, or a name without a dot.

    Args:
        name: What ``host_name`` returned.
    """
    if name.startswith("[") or "." not in name or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
