"""One fault has one word in `error=`, whatever client met it: a reader counts them together."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import importlib
import os
import socket
import threading

import aiohttp
import httpx
import pytest
import requests
import urllib3
from scripted_server import (
    ScriptedServer,
    answer,
    close,
    full_backlog,
    head,
    refusing_port,
    reset,
    silent,
    truncate,
)
from test_instrument_httpx import LIBRARIES, TLS

import firstbyte
from firstbyte._instrument import _cause

#: The longest time that a call may take, in seconds.
SHORT = 0.4


def by_httpx(library: str, url: str) -> None:
    library = importlib.import_module(library)
    with firstbyte.instrument(library.Client(trust_env=False, verify=TLS, timeout=SHORT)) as client:
        client.post(url)


async def by_async_httpx(library: str, url: str) -> None:
    library = importlib.import_module(library)
    client = firstbyte.instrument(library.AsyncClient(trust_env=False, verify=TLS, timeout=SHORT))
    async with client:
        await client.post(url)


async def by_aiohttp(url: str) -> None:
    timeout = aiohttp.ClientTimeout(sock_connect=SHORT, sock_read=SHORT)
    session = firstbyte.instrument(aiohttp.ClientSession(timeout=timeout))
    async with session, session.post(url) as response:
        await response.read()


def by_requests(url: str) -> None:
    with firstbyte.instrument(requests.Session()) as session:
        session.trust_env = False
        session.post(url, timeout=SHORT)


def by_native(url: str) -> None:
    base, slash, path = url.rpartition("/")
    firstbyte.AdminClient(base, connect_timeout=SHORT, timeout=2 * SHORT, attempts=1).post(slash + path)


CLIENTS = {
    **{library: lambda url, library=library: by_httpx(library, url) for library in LIBRARIES},
    **{
        f"async {library}": lambda url, library=library: asyncio.run(by_async_httpx(library, url))
        for library in LIBRARIES
    },
    "aiohttp": lambda url: asyncio.run(by_aiohttp(url)),
    "requests": by_requests,
    "native": by_native,
}


@pytest.fixture(params=CLIENTS)
def failing(request, trace):
    """What `client.fail` says of a POST to a URL."""

    def post(url: str):
        with pytest.raises(Exception):  # noqa: B017, PT011 - each library's own
            CLIENTS[request.param](f"{url}/pause")
        return trace.only("client.fail")

    post.is_native = request.param == "native"
    return post


def test_a_refused_connection(failing):
    failed = failing(f"http://127.0.0.1:{refusing_port()}")
    assert (failed["outcome"], failed["error"]) == ("not_sent", "connect_refused")


def test_a_name_that_nobody_knows(failing, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    failed = failing("http://engine.invalid")
    assert (failed["outcome"], failed["error"]) == ("not_sent", "dns")


def test_no_connection_in_time(failing):
    with full_backlog() as (url, _):
        failed = failing(url)
    assert (failed["outcome"], failed["error"]) == ("not_sent", "connect_timeout")


@contextlib.contextmanager
def without_handshake(play):
    """A server for TLS that plays this on each connection instead of a handshake; its URL."""

    def accept():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    play(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def test_a_server_without_tls(failing):
    def babble_at_once(connection):
        connection.sendall(b"220 mail.example ESMTP\r\n")
        connection.recv(65536)

    with without_handshake(babble_at_once) as url:
        failed = failing(url)
    assert (failed["outcome"], failed["error"]) == ("not_sent", "tls")


def test_a_server_that_hangs_up_in_the_handshake(failing):
    with without_handshake(lambda connection: connection.recv(65536)) as url:
        failed = failing(url)
    assert failed["outcome"] == "not_sent"
    # asyncio itself tells aiohttp that it was reset.
    assert failed["error"] in ("closed", "reset")


def chunks(*pieces: bytes):
    """So much of a chunked body, and then the end of the connection."""

    def play(exchange):
        exchange.write(head(transfer_encoding="chunked") + b"".join(pieces))
        exchange.close()

    return play


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (reset, "reset"),
        (close, "closed"),
        (truncate, "body_truncated"),
        (chunks(b"5\r\nfive!"), "body_truncated"),
        (chunks(b"5\r\nfive!\r\n"), "body_truncated"),
        (chunks(b"5\r\nfive!\r\n", b"no number\r\n"), "protocol"),
        (lambda exchange: exchange.write(b"220 mail.example ESMTP\r\n\r\n"), "protocol"),
        (silent, "read_timeout"),
        (answer(body_delay=5), "read_timeout"),
    ],
)
def test_a_request_that_was_sent(failing, script, error):
    with ScriptedServer(script) as server:
        failed = failing(server.url)
    if failing.is_native and error == "read_timeout":
        error = "total_timeout"  # it has a clock for the whole call only
    assert (failed["outcome"], failed["error"]) == ("unknown", error)


def test_what_its_caller_was_busy_with_is_no_cause(failing):
    with ScriptedServer(close) as server, contextlib.suppress(ConnectionRefusedError):
        try:
            raise ConnectionRefusedError
        except ConnectionRefusedError:
            failed = failing(server.url)
    assert failed["error"] == "closed"


@pytest.mark.parametrize(
    ("number", "word"),
    [
        (errno.EMFILE, "local"),
        (errno.EHOSTUNREACH, "unreachable"),
        (errno.EHOSTDOWN, "unreachable"),
        (errno.ETIMEDOUT, "peer_dead"),
    ],
)
def test_an_error_of_the_system_has_its_word(number, word):
    error = OSError(number, os.strerror(number))
    assert _cause.word(error, "connect") == word
    # Which says of whatever keeps it from connecting that it is a time-out.
    urllib3s = urllib3.exceptions.NewConnectionError(None, "no connection")
    urllib3s.__cause__ = error
    assert _cause.word(urllib3s, "connect") == word


def test_what_has_no_word_is_called_by_its_class():
    assert _cause.word(ValueError("of somebody's own"), "wait") == "value_error"
    assert _cause.word(aiohttp.ServerTimeoutError(), "setup") == "server_timeout_error"


def test_what_http_cannot_carry_is_the_request():
    assert _cause.word(httpx.LocalProtocolError("Illegal header value"), "send") == "request"


def test_causes_that_are_a_circle_have_an_end():
    first, second = RuntimeError(), RuntimeError()
    first.__cause__, second.__cause__ = second, first
    assert _cause.word(first, "wait") == "runtime_error"
