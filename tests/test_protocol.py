"""What is sent at once must look on the line like what uvicorn sends, in the order asked for."""

from __future__ import annotations

import asyncio
import inspect
import socket
from importlib.metadata import version
from typing import Any

import pytest
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from api.protocol import PINNED, Reply, protocol_of
from tests.running import served


class App:
    """Answers /slow/... the framework's way, later than asked; all else at once."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def at_once(self, scope: dict[str, Any]) -> Reply | None:
        path = scope["path"]
        if path.startswith("/slow"):
            return None
        if path == "/broken":
            raise RuntimeError("a mistake of ours")
        self.taken.append(path)
        if path == "/same":
            return Reply(304, [(b"etag", b'"x"')], b"")
        return Reply(200, [(b"content-type", b"text/plain")], path.encode())

    async def __call__(self, scope, receive, send):
        reply = self.at_once(scope)
        if reply is None:
            while (await receive())["more_body"]:
                pass
            await asyncio.sleep(0.05)
            reply = Reply(200, [(b"content-type", b"text/plain")], b"slow")
        headers = [*reply.headers, (b"content-length", b"%d" % len(reply.body))]
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})


def said(address: str, *requests: bytes, until: bytes = b"") -> bytes:
    """What comes back on one connection, up to `until` or to its end."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as line:
        line.sendall(b"".join(requests))
        found = b""
        while not until or until not in found:
            more = line.recv(65_536)
            if not more:
                break
            found += more
        return found


def get(path: str, *headers: str, http: str = "1.1") -> bytes:
    return "\r\n".join([f"GET {path} HTTP/{http}", "host: x", *headers, "", ""]).encode()


@pytest.fixture(scope="module")
def app():
    return App()


@pytest.fixture(scope="module")
def address(app):
    with served(app) as found:
        yield found


def test_an_answer_is_whole_and_dated(address):
    answer = said(address, get("/one"), until=b"/one")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\ndate: ")
    assert head.endswith(b"content-type: text/plain\r\ncontent-length: 4")
    assert body == b"/one"


def test_not_modified_has_no_body_and_no_length(address):
    answer = said(address, get("/same", "connection: close"))
    assert answer.startswith(b"HTTP/1.1 304 Not Modified\r\n")
    assert b"content-length" not in answer
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "request_", [get("/bye", "connection: close"), get("/bye", http="1.0")], ids=["close", "1.0"]
)
def test_a_connection_that_is_not_kept_is_closed(address, request_):
    answer = said(address, request_)  # returns only because the other end closes
    assert b"connection: close\r\n" in answer
    assert answer.endswith(b"/bye")


def test_answers_come_in_the_order_of_the_questions(address):
    """Asked all together: what is ready waits behind what is slow."""
    paths = ["/a", "/slow/1", "/b", "/c", "/slow/2", "/d"]
    answer = said(address, *map(get, paths), until=b"/d")
    bodies = [part.partition(b"\r\n\r\n")[2] for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert bodies == [b"/a", b"slow", b"/b", b"/c", b"slow", b"/d"]


def test_a_thousand_questions_at_once_behind_a_slow_one(address):
    """They lie in one buffer: no answer may stand on the stack of the one before."""
    paths = ["/slow/first", *(f"/n{number:04d}" for number in range(1_200))]
    answer = said(address, *map(get, paths), until=b"/n1199")
    assert answer.count(b"HTTP/1.1 200") == 1_201


def test_a_question_with_a_body_is_answered_once(address):
    posted = b"GET /body HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello"
    answer = said(address, posted, get("/next"), until=b"/next")
    assert answer.count(b"HTTP/1.1 200") == 2


def test_our_own_mistake_is_a_500_and_in_the_log(address, caplog):
    answer = said(address, get("/broken"))
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert "a mistake of ours" in caplog.text


def test_what_is_relied_on_is_there():
    assert version("uvicorn") == PINNED["uvicorn"]
    start = inspect.signature(HttpToolsProtocol._start_asgi_task)
    assert list(start.parameters) == ["self", "cycle", "app"]
    source = inspect.getsource(HttpToolsProtocol) + inspect.getsource(RequestResponseCycle)
    for name in ("pipeline", "flow", "transport", "server_state", "keep_alive", "on_response"):
        assert f"self.{name} = " in source or f"self.{name}: " in source, name
    assert "response_complete = False" in source
    assert "response_started = False" in source
    assert "write_paused" in inspect.getsource(FlowControl)
    assert isinstance(protocol_of(App().at_once), type)
