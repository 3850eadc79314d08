"""The local address that Intuit sends the browser to after a consent.

It listens on this machine only and for one answer. Whether the answer is to be trusted is not
judged here.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from time import monotonic
from urllib.parse import urlsplit

from qbo_sync_dagster.quickbooks.errors import QuickBooksError

PATH = "/callback"
_SECONDS_A_LOOK = 0.5
_PAGE = "<!doctype html><meta charset=utf-8><title>qbo-sync</title><p>{}</p>"


class CallbackServer:
    """A server on 127.0.0.1 that waits for the answer. Port 0 takes any free one."""

    def __init__(self, port: int) -> None:
        self._accept: Callable[[str], None] = lambda _: None
        self._answer: str | None = None
        server = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_GET(self) -> None:
                server.look_at(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing: the address holds the code."""

        self._http = HTTPServer(("127.0.0.1", port), Handler)
        self._http.timeout = _SECONDS_A_LOOK

    @property
    def redirect_uri(self) -> str:
        """Where Intuit shall send the browser."""
        return f"http://localhost:{self._http.server_port}{PATH}"

    def wait(self, accept: Callable[[str], None], seconds: float) -> str | None:
        """The query of the first answer that `accept` does not refuse; None when time is up.

        `accept` raises QuickBooksError for an answer that does not belong to the question: anybody
        on this machine could send one, and it must not end the wait.
        """
        self._accept = accept
        until = monotonic() + seconds
        while self._answer is None and monotonic() < until:
            self._http.handle_request()
        return self._answer

    def look_at(self, request: BaseHTTPRequestHandler) -> None:
        """Take an answer, or say why not."""
        address = urlsplit(request.path)
        if address.path != PATH:
            self._reply(request, 404, "Nothing is here.")
            return
        try:
            self._accept(address.query)
        except QuickBooksError as error:
            self._reply(request, 400, str(error))
            return
        self._answer = address.query
        self._reply(request, 200, "Done. You can close this window and go back to the terminal.")

    def close(self) -> None:
        """Stop listening."""
        self._http.server_close()

    def _reply(self, request: BaseHTTPRequestHandler, status: int, sentence: str) -> None:
        page = _PAGE.format(html.escape(sentence)).encode()
        request.send_response(status)
        request.send_header("Content-Type", "text/html; charset=utf-8")
        request.send_header("Content-Length", str(len(page)))
        request.send_header("Referrer-Policy", "no-referrer")
        request.end_headers()
        request.wfile.write(page)
