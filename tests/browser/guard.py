"""What no page may do: break its Content-Security-Policy, log an error, throw, or ask another host for anything."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, WebError

_OWN_SCHEMES = ("data", "blob", "about")
_TELL_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) => console.error(
  `policy violated: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""


class Guard:
    """Watches browser contexts. A test that means to cause an error says so with `expect`."""

    def __init__(self) -> None:
        self._trouble: list[str] = []
        self._expected: list[re.Pattern[str]] = []
        self._hosts: set[str] = set()

    def allow(self, address: str) -> None:
        """Pages may ask this server."""
        self._hosts.add(urlsplit(address).netloc)

    def watch(self, context: BrowserContext) -> None:
        """Watch every page that a context opens."""
        context.add_init_script(_TELL_VIOLATIONS)
        context.on("console", self._said)
        context.on("weberror", self._thrown)
        context.on("request", self._asked)

    def expect(self, pattern: str) -> None:
        """Errors that match this are part of the test."""
        self._expected.append(re.compile(pattern))

    def trouble(self) -> list[str]:
        """What happened and was not expected."""
        return [text for text in self._trouble if not any(pattern.search(text) for pattern in self._expected)]

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "assert"):
            self._trouble.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _thrown(self, error: WebError) -> None:
        self._trouble.append(f"thrown: {error.error}")

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in _OWN_SCHEMES and parts.netloc not in self._hosts:
            self._trouble.append(f"asked another host: {request.url}")
