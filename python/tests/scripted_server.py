"""A server on a real socket that plays scripts: one function for each request.

    with ScriptedServer(answer(delay=0.1), reset, default=answer()) as server:
        firstbyte.AdminClient(server.url).post("/pause")
        assert server.posts == 1

The n-th request, whatever its connection, is played by the n-th script, and by `default` when there are no
more. It counts requests and connections, so that a test can say how often something was really sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Self


@dataclass
class Request:
    """A request as its server read it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int
    at: float


class Disconnected(Exception):
    """The client is gone, or the server is about to stop."""


class Exchange:
    """One request, and the connection that the answer goes to."""

    def __init__(self, server: ScriptedServer, connection: socket.socket, request: Request) -> None:
        self.server = server
        self.connection = connection
        self.request = request
        self.keeps = request.headers.get("connection", "keep-alive") != "close"

    def write(self, data: bytes) -> None:
        try:
            self.connection.sendall(data)
        except OSError:
            raise Disconnected from None

    def sleep(self, seconds: float) -> None:
        if self.server.stopping.wait(seconds):
            raise Disconnected

    def close(self) -> None:
        self.keeps = False

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.keeps = False


def head(status: int = 200, length: int | None = None, **headers: str) -> bytes:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    if length is not None:
        fields["content-length"] = str(length)
    lines = [f"HTTP/1.1 {status} Status", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def answer(
    status: int = 200,
    body: bytes | None = None,
    *,
    rpc_ms: float | None = None,
    delay: float = 0.0,
    body_delay: float = 0.0,
    **headers: str,
) -> Callable[[Exchange], None]:
    """A whole answer: `delay` seconds before its head, `body_delay` in the middle of its body."""
    if body is None:
        body = json.dumps({"status": "ok"} | ({} if rpc_ms is None else {"rpc_ms": rpc_ms})).encode()
    headers.setdefault("content_type", "application/json")

    def play(exchange: Exchange) -> None:
        exchange.sleep(delay)
        if not body_delay:
            return exchange.write(head(status, len(body), **headers) + body)
        middle = len(body) // 2
        exchange.write(head(status, len(body), **headers) + body[:middle])
        exchange.sleep(body_delay)
        return exchange.write(body[middle:])

    return play


def gated(
    gate: threading.Event, script: Callable[[Exchange], None] | None = None
) -> Callable[[Exchange], None]:
    """A whole answer, or another script, as soon as the test opens the gate."""

    def play(exchange: Exchange) -> None:
        while not gate.wait(0.01):
            exchange.sleep(0)
        (script or answer())(exchange)

    return play


def halfway(exchange: Exchange) -> None:
    """Half of a body, then nothing."""
    exchange.write(head(200, 100) + b"{" * 50)
    silent(exchange)


def redirect(location: str) -> Callable[[Exchange], None]:
    return answer(307, b"", location=location)


def reset(exchange: Exchange) -> None:
    """The request was read, then the connection is reset."""
    exchange.reset()


def close(exchange: Exchange) -> None:
    """The request was read, then the connection is closed without an answer."""
    exchange.close()


def truncate(exchange: Exchange) -> None:
    """Half of the body that the head promises."""
    exchange.write(head(200, 100) + b"{" * 50)
    exchange.close()


def babble(exchange: Exchange) -> None:
    """Not HTTP."""
    exchange.write(b"220 mail.example ESMTP\r\n" * 100)
    exchange.close()


def silent(exchange: Exchange) -> None:
    """Nothing, until the client gives up."""
    while not exchange.server.stopping.is_set():
        exchange.connection.settimeout(0.05)
        try:
            if not exchange.connection.recv(1024):
                break
        except TimeoutError:
            continue
        except OSError:
            break
    raise Disconnected


def huge(exchange: Exchange) -> None:
    """A body without an end."""
    exchange.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while not exchange.server.stopping.is_set():
        exchange.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
    raise Disconnected


class ScriptedServer:
    """Listens on 127.0.0.1 from the beginning; accepts as soon as `accept_after` seconds are over."""

    def __init__(
        self,
        *scripts: Callable[[Exchange], None],
        default: Callable[[Exchange], None] | None = None,
        accept_after: float = 0.0,
        port: int = 0,
    ) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.stopping = threading.Event()
        self._scripts = scripts
        self._default = default or (scripts[-1] if scripts else answer())
        self._accept_after = accept_after
        self._changed = threading.Condition()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self.target = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.target}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def posts(self) -> int:
        return sum(request.method == "POST" for request in self.requests)

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    def wait_for(self, count: int = 1) -> None:
        """Until `count` requests have been read."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.requests) >= count, 10), self.requests

    def stop(self) -> None:
        self.stopping.set()
        # A thread that is blocked in accept is woken by this, not by close.
        for sock in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _accept(self) -> None:
        self.stopping.wait(self._accept_after)
        while not self.stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.add(connection)
            thread = threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while (request := self._read(connection, number)) is not None:
                with self._changed:
                    nth = len(self.requests)
                    self.requests.append(request)
                    self._changed.notify_all()
                exchange = Exchange(self, connection, request)
                script = self._scripts[nth] if nth < len(self._scripts) else self._default
                script(exchange)
                if not exchange.keeps:
                    break
        except Disconnected:
            pass
        finally:
            self._open.discard(connection)
            connection.close()

    def _read(self, connection: socket.socket, number: int) -> Request | None:
        data = b""
        try:
            while b"\r\n\r\n" not in data:
                piece = connection.recv(65536)
                if not piece:
                    return None
                data += piece
            start, _, body = data.partition(b"\r\n\r\n")
            first, *lines = start.decode("latin-1").split("\r\n")
            method, path, _ = first.split(" ")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            while len(body) < int(headers.get("content-length", 0)):
                piece = connection.recv(1 << 20)
                if not piece:
                    return None
                body += piece
        except OSError:
            return None
        return Request(method, path, headers, body, number, time.monotonic())


def refusing_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def full_backlog() -> Iterator[tuple[str, Callable[[], None]]]:
    """The URL of a listener whose queue is full, so that the kernel drops every SYN; and what frees it."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    waiting = []
    for _ in range(3):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(listener.getsockname())
        waiting.append(sock)
    time.sleep(0.05)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(OSError):
                    if connection.recv(65536):
                        connection.sendall(head(200, 2, connection="close") + b"{}")

    def free() -> None:
        for sock in waiting:
            sock.close()
        threading.Thread(target=serve, daemon=True).start()

    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", free
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for sock in waiting:
            sock.close()


def noted(error: BaseException) -> str:
    """What is noted on an error; before Python 3.11 it is the context of the error."""
    notes = getattr(error, "__notes__", None)
    return "\n".join(notes) if notes else f"may still be paused: {error.__context__!r}"


async def until(condition: Callable[[], object]) -> None:
    """Until something is so, which other threads see to."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.002)
