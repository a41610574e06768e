"""The `firstbyte` command of the package, and Ctrl-C: it ends as the program does, without a traceback."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
import time

import pytest
from scripted_server import ScriptedServer

COMMAND = [sys.executable, "-m", "firstbyte"]

#: More than the pipe of a child takes before somebody reads it.
MUCH = b"\n" * (1 << 20)


class Terminal:
    """A command at a terminal of its own, where Ctrl-C is typed."""

    def __init__(self, *arguments: str) -> None:
        self.screen = b""
        self._main, child = pty.openpty()
        # A leader of a session that opens a terminal is controlled by it from then on.
        at_terminal = ["sh", "-c", 'exec "$@" <"$0" >"$0" 2>&1', os.ttyname(child), *COMMAND, *arguments]
        self.process = subprocess.Popen(at_terminal, start_new_session=True)
        os.set_blocking(self._main, False)
        self._child = child

    def look(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self.screen += os.read(self._main, 1 << 16)

    def wait_for(self, text: bytes) -> None:
        deadline = time.monotonic() + 20
        while text not in self.screen:
            assert time.monotonic() < deadline, self.screen
            assert self.process.poll() is None, self.screen
            self.look()
            time.sleep(0.005)

    def interrupt(self) -> int:
        """Types Ctrl-C; the exit status."""
        os.write(self._main, b"\x03")
        deadline = time.monotonic() + 20
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.screen
            self.look()
            time.sleep(0.005)
        self.look()
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._main)
        os.close(self._child)


def test_a_command_that_reads_a_pipe_dies_of_ctrl_c():
    process = subprocess.Popen(
        [*COMMAND, "stats", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with process:
        # It reads, as all of this has gone into the pipe.
        process.stdin.write(MUCH)
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        assert process.returncode == -signal.SIGINT
        assert process.stdout.read() == process.stderr.read() == b""


@pytest.mark.parametrize(
    ("arguments", "shows", "code"),
    [
        (["mock", "--port", "0"], b"firstbyte mock ready", 0),
        (["call", "URL/pause", "--watch", "60"], b"wall ", 130),
        (["watch", "a.log"], b"a.log", 130),
        (["demo", "--quick", "--out", "out"], b"idle", 130),
    ],
    ids=["mock", "call", "watch", "demo"],
)
def test_ctrl_c_at_a_terminal_is_the_commands_own(tmp_path, monkeypatch, arguments, shows, code):
    monkeypatch.chdir(tmp_path)
    with ScriptedServer() as server:
        arguments = [argument.replace("URL", server.url) for argument in arguments]
        with Terminal(*arguments) as terminal:
            terminal.wait_for(shows)
            assert terminal.interrupt() == code, terminal.screen
            assert b"Traceback" not in terminal.screen
            assert b"KeyboardInterrupt" not in terminal.screen


def test_a_command_that_ignores_ctrl_c_still_does():
    """As a shell starts what runs in the background."""
    process = subprocess.Popen(
        ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *COMMAND, "stats", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        process.stdin.write(MUCH)
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        process.stdin.close()
        assert process.wait(20) >= 0
        process.stdout.read()
