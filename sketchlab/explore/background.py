"""Work beside the kernel, a piece at a time in a thread of its own: a click is heard while a step or a compilation runs."""

import asyncio
import contextlib
import signal
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

#: Shortest time between two pictures, in seconds: more would queue up in the browser.
FRAME = 1 / 30


#: For the notebook's stop button.
_workers = weakref.WeakSet()


def _pause_all(*_):
    for worker in list(_workers):
        worker.pause()


def _hear_the_stop_button():
    """Pause all work when the kernel is interrupted while no cell runs: else nothing would hear it.

    A cell that runs has its own answer, KeyboardInterrupt, and afterwards the kernel puts back what it found.
    """
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, _pause_all)


class Background:
    """One worker of one explorer.

    Parameters
    ----------
    on_error : callable, (exception) -> None
        Gets whatever a piece or its picture raises: nobody else would see it.
    watched : callable, () -> bool
        Asked between pieces; False pauses the work, because nobody looks any more.

    Notes
    -----
    Pieces run in the thread, pictures and `on_error` on the event loop that was running when the worker was made: widgets belong
    there. A click may come from another thread, hence ``run_coroutine_threadsafe``. Without an event loop, in a script, work is
    done before `start` returns.
    """

    def __init__(self, on_error: Callable[[Exception], None], watched: Callable[[], bool] = lambda: True):
        self._on_error, self._watched = on_error, watched
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sketchlab")
        # Work that is not the latest has been superseded: it ends without another picture.
        self._latest = self._in_hand = 0
        self._waiting = False
        self.running = False
        _workers.add(self)
        try:
            self._events = asyncio.get_running_loop()
        except RuntimeError:
            self._events = None

    def start(self, piece: Callable[[], bool], show: Callable[[bool], None]) -> None:
        """Begin new work in place of what is being done.

        Parameters
        ----------
        piece : callable, () -> bool
            Says whether there is more to do.
        show : callable, (bool) -> None
            Called after every piece with whether another one follows.
        """
        self._latest += 1
        self.running = True
        if self._events is None or self._waiting:
            try:
                self._work_here(self._latest, piece, show)
            finally:
                # An interrupt from the keyboard ends it too.
                self.running = False
        else:
            asyncio.run_coroutine_threadsafe(self._work(self._latest, piece, show), self._events)

    @property
    def wanted(self) -> bool:
        """Whether the piece in hand is still waited for: a long one asks now and then."""
        return self.running and self._in_hand == self._latest

    def pause(self) -> None:
        """End after the piece that has begun, and its picture."""
        self.running = False

    def drop(self) -> None:
        """End after the piece that has begun, without a picture."""
        self._latest += 1
        self.running = False

    @contextlib.contextmanager
    def waiting(self):
        """Let work that is started in this block be done before `start` returns, as a script wants it."""
        self._waiting = True
        try:
            yield
        finally:
            self._waiting = False

    def do(self, piece: Callable[[], object]):
        """Do one piece here and now, after the one that has begun; returns and raises what it does."""
        self.drop()
        return self._thread.submit(piece).result()

    def close(self) -> None:
        """Let the piece that has begun be the last."""
        self.drop()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _work(self, number, piece, show):
        more = True
        while more and number == self._latest:
            _hear_the_stop_button()
            try:
                more = await self._events.run_in_executor(self._thread, self._piece, number, piece)
                more = self._show(number, more, show)
            except Exception as error:  # the explorer shows it and keeps it
                self._fail(number, error)
                return

    def _work_here(self, number, piece, show):
        more = True
        while more and number == self._latest:
            try:
                more = self._show(number, self._thread.submit(self._piece, number, piece).result(), show)
            except Exception as error:  # the explorer shows it and keeps it
                self._fail(number, error)
                return

    def _piece(self, number, piece):
        self._in_hand = number
        # It may have waited for the piece of older work, and be superseded itself by now.
        return number == self._latest and piece()

    def _show(self, number, more, show):
        if number != self._latest:
            return False
        self.running = more and self.running and self._watched()
        show(self.running)
        return self.running

    def _fail(self, number, error):
        if number == self._latest:
            self.running = False
            self._on_error(error)


class Throttle:
    """Says whether enough time has passed for another picture."""

    def __init__(self, seconds: float = FRAME):
        self.seconds = seconds
        self._next = 0.0

    def ready(self) -> bool:
        """Return True once every `seconds` on average."""
        now = time.monotonic()
        if now < self._next:
            return False
        # From when it was due, or steps a little shorter than a frame would let every other frame go by.
        self._next = max(self._next, now - self.seconds) + self.seconds
        return True

    def rest(self, seconds: float) -> None:
        """Let at least so much time pass before it is ready again."""
        self._next = max(self._next, time.monotonic() + seconds)
