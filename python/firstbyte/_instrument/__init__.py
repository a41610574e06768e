"""Clients that people already have: httpx, httpx2, aiohttp, requests."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from .. import _firstbyte
from .._errors import ConfigError
from . import _aiohttp, _httpx, _requests

if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_C = TypeVar("_C")

#: By module and class; a class is looked at only if its module is loaded: nothing is imported here.
_LIBRARIES: list[tuple[str, str, ModuleType]] = [
    ("httpx", "AsyncClient", _httpx),
    ("httpx", "Client", _httpx),
    ("httpx2", "AsyncClient", _httpx),
    ("httpx2", "Client", _httpx),
    ("aiohttp", "ClientSession", _aiohttp),
    ("requests", "Session", _requests),
]


def instrument(client: _C) -> _C:
    """Trace the control calls of a client, and return it.

        client = firstbyte.instrument(httpx.AsyncClient(limits=...))

    Works on `httpx` and `httpx2` clients, `aiohttp.ClientSession` and `requests.Session` as they are:
    their hooks, transports, mounts and limits stay. Control calls get `client.send`, `client.done` or
    `client.fail` with the phases that the library tells, and the headers `x-trace-id` and `traceparent`.
    All other calls are let through after a look-up in the route table. Doing it twice changes nothing;
    transports and adapters that were mounted in between are traced from then on.

    Raises `ConfigError` for anything else, for a version whose insides are not known, and if a file that
    `FIRSTBYTE_ROUTES` or `FIRSTBYTE_LOG` names cannot be used; a call never fails because of it.
    """
    library = _library(client)
    _firstbyte.prepare()
    try:
        library.instrument(client)
    except (AttributeError, TypeError) as error:
        with suppress(AttributeError, TypeError):
            library.uninstrument(client)
        raise ConfigError(f"cannot instrument this {_name_of(client)}: {error}") from error
    return client


def uninstrument(client: _C) -> _C:
    """Undo `instrument`, and return the client. Calls on their way are still traced to their end.

    A transport or an adapter that several clients share is traced, or not, for all of them.
    """
    _library(client).uninstrument(client)
    return client


def _library(client: object) -> Any:
    for module_name, class_name, library in _LIBRARIES:
        module = sys.modules.get(module_name)
        if module is not None and isinstance(client, getattr(module, class_name, ())):
            return library
    raise ConfigError(
        f"cannot instrument a {_name_of(client)}; expected a client of httpx or httpx2, "
        "an aiohttp.ClientSession or a requests.Session"
    )


def _name_of(client: object) -> str:
    return f"{type(client).__module__}.{type(client).__qualname__}"
