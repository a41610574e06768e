"""The native admin client, for threads and for asyncio."""

from __future__ import annotations

import json as json_module
from contextlib import asynccontextmanager, contextmanager
from types import NoneType
from typing import TYPE_CHECKING

from . import _firstbyte, _mailbox
from ._context import AsyncClosable, Closable
from ._errors import ConfigError, NotSent, OutcomeUnknown, OverlapError
from ._response import AdminResponse
from ._rpc import current_trace_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
    from os import PathLike

    from typing_extensions import Unpack

    from ._types import AsyncProbe, CallOptions, CallState, NativeCall, Probe

#: The clock of a resume that has none of its own, in seconds.
RESUME_WITHIN = 60.0


class _Client:
    """Calls to one server by the native client, off the interpreter lock and off the event loop.

    `base_url` is scheme, host, port and perhaps the beginning of all paths. A call has a connection of its
    own unless `max_connections` says that connections are kept, and how many. Clocks are in seconds:
    `connect_timeout` for the look-up, TCP and TLS, `send_timeout` for the request to be accepted,
    `peer_dead_timeout` for a host that is silent on the TCP level, `timeout` for the whole call (none),
    `still_waiting` from one line about a call that has not ended to the next (0 turns them off). At
    most `attempts` are made (1 to 3), and never one that might apply an operation twice.
    `root_certificate` and `identity` (chain and key) are PEM bytes.

    No redirect is followed, no proxy used. vLLM's `--api-key` does not guard its admin routes at the root.

    Raises `ConfigError` if a setting cannot work.
    """

    def __init__(
        self,
        base_url: str,
        *,
        token: str | None = None,
        max_connections: int | None = None,
        connect_timeout: float = 10.0,
        send_timeout: float = 60.0,
        peer_dead_timeout: float = 90.0,
        timeout: float | None = None,
        still_waiting: float = 60.0,
        attempts: int = 3,
        max_body: int = 1 << 20,
        root_certificate: bytes | None = None,
        identity: bytes | None = None,
        routes: str | PathLike[str] | None = None,
    ) -> None:
        options = {
            "base_url": base_url,
            "token": token,
            "max_connections": max_connections,
            "connect_timeout": connect_timeout,
            "send_timeout": send_timeout,
            "peer_dead_timeout": peer_dead_timeout,
            "timeout": timeout,
            "still_waiting": still_waiting,
            "attempts": attempts,
            "max_body": max_body,
            "root_certificate": root_certificate,
            "identity": identity,
            "routes": routes,
        }
        self._native = _firstbyte.NativeClient(options)

    @property
    def target(self) -> str:
        """Host and port of the server, and the path of the base URL if it has one."""
        return self._native.target

    @property
    def unknown(self) -> str | None:
        """The id of the call whose outcome on this server is unknown, if there is one, be it another
        client's: then no other operation may begin until it is settled."""
        return self._native.unknown

    def forget_unknown(self) -> None:
        """You have found out what became of the call whose outcome was unknown."""
        self._native.forget_unknown()

    def in_flight(self) -> list[CallState]:
        """The attempts that are on their way, the oldest first, and where each of them is stuck."""
        return self._native.in_flight()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.target}>"


class AdminClient(_Client, Closable):
    __doc__ = _Client.__doc__

    def request(
        self, method: str, path: str, *, probe: Probe | None = None, **options: Unpack[CallOptions]
    ) -> AdminResponse:
        """Make a call and read the whole response, whatever its status.

        `path` begins with a slash and may have a query. `json` or `body` is sent; `operation_class` says
        what sending it twice would do (`"non_idempotent"` for POST unless you say otherwise);
        `allow_overlap` lets it begin although another one is in flight or its outcome unknown;
        `step` goes into `client.send`; `timeout` is its total clock; `trace_id` its id.

        `probe(client)` is asked when the outcome is unknown, so that the operation can converge. It returns
        the response that shows that it happened, which becomes that of the call; `False` if it did not happen
        and will not, and then the call is sent again; `None` if it cannot tell. An exception means that too,
        and is the cause of the `OutcomeUnknown`. It may make any call that is no operation, such as a GET.

        Raises `NotSent`, `OutcomeUnknown`, `OverlapError`, `BodyError` or `ConfigError`, and `TypeError` for
        an option that there is not. Ctrl-C gives the call up.
        """
        call = call_of(method, path, options)
        if probe is None:
            return AdminResponse(self._native.call(call))
        failures: list[Exception] = []

        def ask(question: _firstbyte.Question) -> None:
            try:
                _answer(question, probe(self))
            except Exception as error:
                failures.append(error)
                question.unclear()

        try:
            return AdminResponse(self._native.call(_probed(call), ask))
        except OutcomeUnknown as error:
            raise error from (failures[-1] if failures else None)

    def get(self, path: str, **options: Unpack[CallOptions]) -> AdminResponse:
        """`request("GET", path, ...)`."""
        return self.request("GET", path, **options)

    def post(self, path: str, *, probe: Probe | None = None, **options: Unpack[CallOptions]) -> AdminResponse:
        """`request("POST", path, ...)`."""
        return self.request("POST", path, probe=probe, **options)

    @contextmanager
    def paused(
        self,
        pause: str = "/pause",
        resume: str = "/resume",
        *,
        resume_timeout: float = RESUME_WITHIN,
        **options: Unpack[CallOptions],
    ) -> Iterator[AdminResponse]:
        """Pause the server, do the work, resume it whatever became of the work.

        The options are those of `request`, for the pause; its `headers`, `step` and `trace_id` are the
        resume's too. The resume is tried as well when the pause may have happened without an answer. Its
        error is raised unless the work raised one, which then gets a note of it (before Python 3.11, its
        `__context__`). Ctrl-C does not give it up: it goes on, and until it has ended another operation is
        refused (`OverlapError`).
        """
        first, call = pause_and_resume([self], pause, resume, resume_timeout, options)
        try:
            response = AdminResponse(self._native.call(first)).raise_for_status()
        except BaseException as error:
            if may_be_paused(error):
                self._try_resume(call, error)
            raise
        try:
            yield response
        except BaseException as error:
            self._try_resume(call, error)
            raise
        AdminResponse(self._native.call(call)).raise_for_status()

    def _try_resume(self, call: NativeCall, error: BaseException) -> None:
        """After an error, which is the one to tell, with that of the resume noted on it."""
        try:
            AdminResponse(self._native.call(call)).raise_for_status()
        except Exception as failure:
            note(error, failure)


class AsyncAdminClient(_Client, AsyncClosable):
    __doc__ = _Client.__doc__

    async def request(
        self, method: str, path: str, *, probe: AsyncProbe | None = None, **options: Unpack[CallOptions]
    ) -> AdminResponse:
        """As `AdminClient.request`, with a probe that is awaited.

        The call itself runs on a thread of its own: a busy loop delays neither it nor its times, only the
        moment when your code goes on, which is `resume_ms`.

        Cancelling it closes the connection; the server may act on the request all the same.
        """
        call = call_of(method, path, options)
        if probe is None:
            return AdminResponse(await _mailbox.call(self._native, call))
        failures: list[Exception] = []

        async def ask(question: _firstbyte.Question) -> None:
            try:
                _answer(question, await probe(self))
            except Exception as error:
                failures.append(error)
                question.unclear()

        try:
            return AdminResponse(await _mailbox.call(self._native, _probed(call), ask))
        except OutcomeUnknown as error:
            raise error from (failures[-1] if failures else None)

    async def get(self, path: str, **options: Unpack[CallOptions]) -> AdminResponse:
        """`request("GET", path, ...)`."""
        return await self.request("GET", path, **options)

    async def post(
        self, path: str, *, probe: AsyncProbe | None = None, **options: Unpack[CallOptions]
    ) -> AdminResponse:
        """`request("POST", path, ...)`."""
        return await self.request("POST", path, probe=probe, **options)

    @asynccontextmanager
    async def paused(
        self,
        pause: str = "/pause",
        resume: str = "/resume",
        *,
        resume_timeout: float = RESUME_WITHIN,
        **options: Unpack[CallOptions],
    ) -> AsyncIterator[AdminResponse]:
        """As `AdminClient.paused`; cancelling does not give up the resume either."""
        first, call = pause_and_resume([self], pause, resume, resume_timeout, options)
        try:
            response = AdminResponse(await _mailbox.call(self._native, first)).raise_for_status()
        except BaseException as error:
            if may_be_paused(error):
                await self._try_resume(call, error)
            raise
        try:
            yield response
        except BaseException as error:
            await self._try_resume(call, error)
            raise
        AdminResponse(await _mailbox.call(self._native, call)).raise_for_status()

    async def _try_resume(self, call: NativeCall, error: BaseException) -> None:
        """After an error, which is the one to tell, with that of the resume noted on it."""
        try:
            if isinstance(error, Exception):
                AdminResponse(await _mailbox.call(self._native, call)).raise_for_status()
            else:
                # Whoever was cancelled must not be kept waiting: the native thread does it alone.
                self._native.detach(call)
        except Exception as failure:
            note(error, failure)


def _probed(call: NativeCall) -> NativeCall:
    if call["operation_class"] is not None:
        raise ConfigError("operation_class: what a probe can tell is convergent; leave it out")
    return {**call, "probe": True}


def _answer(question: _firstbyte.Question, found: AdminResponse | bool | None) -> None:
    """Hands on what a probe has returned."""
    if isinstance(found, AdminResponse) and isinstance(found._native, _firstbyte.NativeResponse):
        question.applied(found._native)
    elif found is False:
        question.not_applied()
    elif found is None:
        question.unclear()
    else:
        raise TypeError(f"a probe returns a response as it came, False or None, not {found!r}")


def may_be_paused(error: BaseException) -> bool:
    return not isinstance(error, (NotSent, OverlapError, ConfigError))


def note(error: BaseException, failure: Exception) -> None:
    """Have an error that is raised tell that the resume failed, too."""
    # Not from the dictionary of the error: `add_note` is of Python 3.11.
    if add_note := getattr(error, "add_note", None):
        add_note(f"The server may still be paused: {type(failure).__name__}: {failure}")
    elif error.__context__ is None:
        # It has the error for its context, as it was raised while that was handled.
        failure.__context__ = None
        error.__context__ = failure


def pause_and_resume(
    clients: Iterable[_Client], pause: str, resume: str, resume_timeout: float, options: CallOptions
) -> tuple[NativeCall, NativeCall]:
    """Both calls, checked: a resume that cannot be sent would leave a server paused."""
    of_resume: CallOptions = {
        "headers": options.get("headers"),
        "step": options.get("step"),
        "trace_id": options.get("trace_id"),
        "timeout": resume_timeout,
    }
    first = call_of("POST", pause, options)
    last: NativeCall = {**call_of("POST", resume, of_resume), "resume": True}
    for client in clients:
        client._native.check(first)
        client._native.check(last)
    return first, last


#: What `request` knows; a word that is none of these would be dropped, and the call sent without it.
_OPTIONS = frozenset(
    ["allow_overlap", "body", "headers", "json", "operation_class", "step", "timeout", "trace_id"]
)


def call_of(method: str, path: str, options: CallOptions) -> NativeCall:
    if unknown := options.keys() - _OPTIONS:
        known = ", ".join(sorted(_OPTIONS))
        raise TypeError(f"{min(unknown)!r} is no option of a call; there are {known}")
    headers = _headers(options.get("headers"))
    body = options.get("body")
    if not isinstance(body, (bytes, bytearray, memoryview, NoneType)):
        raise TypeError(f"body takes bytes, not {type(body).__name__}; for anything else there is json")
    if "json" in options:
        if body is not None:
            raise ConfigError("json and body exclude each other")
        try:
            body = json_module.dumps(options["json"], allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise ConfigError(f"json: {error}") from None
        if not any(name.lower() == "content-type" for name, _ in headers):
            headers.append(("content-type", "application/json"))
    return {
        "method": method,
        "path": path,
        "body": None if body is None else bytes(body),
        "headers": headers,
        "operation_class": options.get("operation_class"),
        "allow_overlap": options.get("allow_overlap", False),
        "resume": False,
        "probe": False,
        "step": options.get("step"),
        "timeout": options.get("timeout"),
        "trace_id": options.get("trace_id") or current_trace_id(),
    }


def _headers(headers: Mapping[str, str] | None) -> list[tuple[str, str]]:
    try:
        pairs = list((headers or {}).items())
    except AttributeError:
        raise ConfigError(f"headers: a mapping is needed, not {type(headers).__name__}") from None
    for name, _ in pairs:
        if isinstance(name, str) and name.lower() in ("content-length", "transfer-encoding"):
            raise ConfigError(f"headers: {name} follows from the body")
    return pairs
