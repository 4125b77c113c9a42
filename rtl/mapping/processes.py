"""A tool in a process of its own, which ends with the command that started it."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def process(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Start a program with `options` of Popen, and kill it at the end of the block, however that comes.

    SIGTERM then ends this process by SystemExit(143), so that nothing half-made stays: by default it would leave the
    program running. A handler that a caller has set stays.
    """
    replaced = (threading.current_thread() is threading.main_thread()
                and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
    if replaced:
        signal.signal(signal.SIGTERM, _end)
    try:
        with subprocess.Popen(command, text=True, **options) as started:
            try:
                yield started
            finally:
                started.kill()
    finally:
        if replaced:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _end(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
