"""The page of a run that goes on, on loopback alone, for who knows its token."""

import hashlib
import hmac
import secrets
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

from cosim.errors import TraceError
from cosim.report.page.build import page
from cosim.report.page.content import view_of
from cosim.trace import Trace

LOOPBACK = "127.0.0.1"
BUDGET_BYTE = 1_000_000
"""Of waveforms: less than a file's, as they are sent again and again."""
REST = 5.0
"""After a page, so many times as long as it took nothing is made, whoever asks."""


class LivePage:
    """The latest page of a trace; made anew when the trace has grown and somebody asks."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._state: object = None
        self._not_before = 0.0
        self._content, self.tag = b"", ""
        self.latest()

    def latest(self) -> tuple[bytes, str]:
        """The page and its tag, which changes with it; a trace that cannot be read leaves it.

        Raises:
            TraceError: it could never be read.
        """
        with self._lock:
            if time.monotonic() >= self._not_before:
                started = time.monotonic()
                try:
                    self._refresh()
                except TraceError:
                    if not self._content:
                        raise
                self._not_before = time.monotonic() + REST * (time.monotonic() - started)
            return self._content, self.tag

    def _refresh(self) -> None:
        with Trace.open(self._path) as trace:
            state = (trace.status, trace.member_statuses, _points(trace), len(trace.events))
            if state == self._state:
                return
            view = view_of(trace, BUDGET_BYTE)
        self._content = page([view], view.title, live=True).encode()
        self.tag = f'"{hashlib.sha256(self._content).hexdigest()[:32]}"'
        self._state = state


def _points(trace: Trace) -> int:
    if trace.members is None:
        return trace.points
    return sum(trace.member(number).points for number in range(trace.members))


class PageServer(ThreadingHTTPServer):
    """Serves a run's page until it is closed, after the run's end too.

    Raises:
        TraceError: there is no such trace, or it is damaged.
        OSError: the port is taken.
    """

    daemon_threads = True

    def __init__(self, path: Path, port: int = 0) -> None:
        self.live = LivePage(path)
        self.token = secrets.token_urlsafe(24)
        super().__init__((LOOPBACK, port), _Handler)

    @property
    def address(self) -> str:
        """For a browser."""
        return f"http://{LOOPBACK}:{self.server_port}/?token={self.token}"


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    server_version, sys_version = "cosim", ""
    timeout = 10.0
    HEADERS: ClassVar[dict[str, str]] = {
        "Cache-Control": "no-store",
        "Content-Type": "text/html; charset=utf-8",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }

    def do_GET(self) -> None:
        """The page, or that it is the same; nothing without the token or for another host, which
        a page of elsewhere could have resolve to this machine.
        """
        asked = urlsplit(self.path)
        token = parse_qs(asked.query).get("token", [""])[0]
        own = {f"{host}:{self.server.server_port}" for host in (LOOPBACK, "localhost")}
        if not hmac.compare_digest(token.encode(), self.server.token.encode()):
            self._answer(HTTPStatus.FORBIDDEN)
        elif asked.path != "/" or self.headers.get("Host") not in own:
            self._answer(HTTPStatus.NOT_FOUND)
        else:
            content, tag = self.server.live.latest()
            known = self.headers.get("If-None-Match") == tag
            self._answer(HTTPStatus.NOT_MODIFIED if known else HTTPStatus.OK, content, tag)

    def _answer(self, status: HTTPStatus, content: bytes = b"", tag: str = "") -> None:
        body = content if status is HTTPStatus.OK else b""
        self.send_response(status)
        for name, value in self.HEADERS.items():
            self.send_header(name, value)
        if tag:
            self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """The token is in what would be logged."""
