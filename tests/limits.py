"""What keeps a test from waiting for ever."""

import signal
from contextlib import contextmanager


@contextmanager
def within(seconds):
    """Fail instead of waiting for ever."""

    def stop(*_):
        raise AssertionError(f"no answer within {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
