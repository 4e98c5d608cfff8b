"""Names, addresses and paths in requests: which are this server's."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from visagram.settings import ServerSettings

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_EVERYWHERE = ("0.0.0.0", "::")


class OwnNames:
    """Names under which a server may be addressed.

    One on all addresses also takes every literal IP address: no foreign page has one for its origin's name.
    """

    def __init__(self, server: ServerSettings) -> None:
        self._any_address = server.host in _EVERYWHERE
        names = {host_name(name) for name in (*server.allowed_hosts, server.host)}
        self._names = _LOCAL | names | ({socket.gethostname().lower()} if self._any_address else set())

    def __contains__(self, host: object) -> bool:
        name = host_name(str(host))
        return name != "" and (name in self._names or (self._any_address and _is_address(name)))


def host_name(host: str) -> str:
    """The name in 'name', 'name:port', '::1' and '[::1]:port', in lower case; '' for what is none."""
    try:
        return (urlsplit(f"//[{host}]" if _is_address(host) and ":" in host else f"//{host}").hostname or "").rstrip(
            "."
        )
    except ValueError:
        return ""


def same_origin(origin: str, host: str) -> bool:
    """Whether an `Origin` is the server that is addressed as `host`. Schemes may differ: a proxy can have ended the
    encryption."""
    scheme, found, rest = origin.lower().partition("://")
    return scheme in ("http", "https") and bool(found) and rest == host.lower()


def local_path(wanted: str) -> str:
    """A path of this server to go on to; '/' for anything that a browser would take elsewhere."""
    leads_here = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    return wanted if leads_here else "/"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
