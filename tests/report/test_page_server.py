"""The live page: for who has the token, on loopback, as the run goes on and after its end."""

import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cosim.cli import app
from cosim.errors import ConfigurationError, TraceError
from cosim.report.page import server
from cosim.report.page.server import LOOPBACK, PageServer
from cosim.trace import Signal, TraceWriter
from tests.trace.recordings import PROVENANCE


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[TraceWriter]:
    with TraceWriter.create(
        tmp_path / "run.h5", signals=[Signal("out", "V")], provenance=PROVENANCE, members=2
    ) as writer:
        write(writer, 0)
        yield writer


def write(writer: TraceWriter, member: int) -> None:
    writer.append(np.arange(50) * 1e-9, np.ones((50, 1)), member)
    writer.flush()


@pytest.fixture
def served(writer: TraceWriter, monkeypatch: pytest.MonkeyPatch) -> Iterator[PageServer]:
    monkeypatch.setattr(server, "REST", 0.0)
    with PageServer(writer.path) as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.01,))
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


def asked(served: PageServer, path: str | None = None, **headers: str) -> HTTPResponse:
    connection = HTTPConnection(LOOPBACK, served.server_port, timeout=5)
    connection.request("GET", path or f"/?token={served.token}", headers=headers)
    answer = connection.getresponse()
    answer.text = answer.read().decode()  # type: ignore[attr-defined]
    return answer


def test_several_viewers_see_it_grow_and_end(served: PageServer, writer: TraceWriter) -> None:
    first, second = asked(served), asked(served)
    assert first.status == second.status == 200
    assert first.text == second.text
    assert 'doubtful">running<' in first.text and 'data-live="yes"' in first.text
    same = asked(served, **{"If-None-Match": first.headers["ETag"]})
    assert (same.status, same.text) == (304, "")
    write(writer, 1)
    grown = asked(served, **{"If-None-Match": first.headers["ETag"]})
    assert grown.status == 200 and grown.text != first.text
    writer.finish()
    ended = [asked(served) for _ in range(2)]
    assert all('good">complete<' in one.text for one in ended)
    assert ended[0].headers["Cache-Control"] == "no-store"
    assert "connect-src &#39;self&#39;" in ended[0].text


def test_it_is_for_who_has_the_token_on_this_machine(served: PageServer) -> None:
    assert served.server_address[0] == LOOPBACK and len(served.token) >= 32
    assert asked(served, "/").status == 403
    assert asked(served, f"/?token={served.token}x").status == 403
    assert asked(served, f"/../etc/passwd?token={served.token}").status == 404
    rebound = asked(served, Host=f"evil.example:{served.server_port}")
    assert (rebound.status, rebound.text) == (404, "")


def test_a_trace_that_is_gone_leaves_the_last_page(served: PageServer, writer: TraceWriter) -> None:
    before = asked(served).text
    writer.path.unlink()
    assert asked(served).text == before
    with pytest.raises(TraceError):
        PageServer(writer.path)


def test_web_shows_all_and_needs_a_run(tmp_path: Path) -> None:
    run = CliRunner().invoke
    chosen = run(app, ["watch", "run.h5", "--web", "--member", "1"])
    assert isinstance(chosen.exception, ConfigurationError)
    assert isinstance(run(app, ["watch", str(tmp_path / "no.h5"), "--web"]).exception, TraceError)
