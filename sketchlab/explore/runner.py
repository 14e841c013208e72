"""Explorers that run: their work is done piece by piece, with Run, Pause and Reset."""

from collections.abc import Set
from typing import Any, ClassVar, Protocol, Self

from sketchlab.explore.background import Throttle
from sketchlab.explore.explorer import Explorer


class Work(Protocol):
    """What is under way in a `Runner`; it knows of no widget."""

    @property
    def unfinished(self) -> bool:
        """Whether there is a piece to do."""
        ...

    def step(self, values: dict) -> None:
        """Do a piece, in a thread of its own, as the controls' values by name say now."""
        ...


class Runner(Explorer):
    """Base of the explorers that run: `begin` makes the `Work`, `lay_out` shows its panels, and `draw` gets it after each piece.

    Attributes
    ----------
    work : Work or None
        From a Reset to the next: a piece that ends after a Reset belongs to the work before, and disturbs nobody.
    """

    #: What it does one of at a time.
    in_hand: ClassVar[str] = "step"

    work: Any = None

    def __init__(self, controls, choices):
        super().__init__(controls, choices)
        self._frames = Throttle()

    def begin(self) -> Work:
        """Return the work that the controls describe, with nothing done."""
        raise NotImplementedError

    def lay_out(self) -> None:
        """Show panels for `work`, of which nothing is done."""
        raise NotImplementedError

    def run(self) -> None:
        """Do the work in the background, from where it paused or from the start; what goes wrong is in `error`."""
        if not self._background.running:
            self._guard(self._start)

    def pause(self) -> None:
        """Stop after the piece of work that has begun."""
        if self._background.running:
            self._background.pause()
            self._say(f"after this {self.in_hand}", "paused")

    def reset(self) -> None:
        """Forget what was done, and set the panels up for what the controls say."""
        self._background.drop()
        self.error = None
        self._guard(self._set_up)
        self._show_settings()

    def run_sync(self, pieces: int | None = None) -> Self:
        """Do so many pieces, or all, here and now, without a browser; raises what goes wrong, and returns the explorer."""
        self.error = None
        work = self._in_hand()
        while work.unfinished and pieces != 0:
            self._background.do(lambda: work.step(self._values))
            pieces = None if pieces is None else pieces - 1
        self._draw(False)
        return self

    # What it gets, and may refine

    def _set_up(self) -> None:
        """Begin anew."""
        self.work = None
        self.work = self.begin()
        self.lay_out()

    def _in_hand(self):
        """Return the work, which begins here if there is none."""
        if self.work is None:
            self._set_up()
        return self.work

    def _start(self):
        work = self._in_hand()
        self._say(self._doing, "running")

        def piece():
            # What the controls say is replaced whole: a worker sees all of a change, or none.
            work.step(self._values)
            return work.unfinished

        self._background.start(piece, self._draw)

    def _draw(self, more):
        """Draw a frame: after the last piece always, else as often as the page draws and people see."""
        if more and not (self._page.caught_up and self._frames.ready()):
            return
        self.draw(self.work)
        # The page tells when it has drawn it.
        self._page.frame += 1
        if not more:
            self._show_settings()

    @property
    def _doing(self) -> str:
        """What the next piece is, before there is a frame to tell of it."""
        return "…"

    @property
    def _stage(self) -> str:
        """The state that a frame tells."""
        return "running" if self._background.running else "paused" if self.work.unfinished else "idle"

    def _forget(self):
        self.work = None

    def _waiting_note(self, begun_with: dict) -> str:
        """Say which controls have moved since work began with these values, and apply on Reset."""
        waiting = self._labels(name for name, value in begun_with.items() if value != self._value(name))
        return f"{', '.join(waiting)} {'applies' if len(waiting) == 1 else 'apply'} on Reset. " if waiting else ""

    def _changed(self, names: Set[str]) -> None:
        """Answer to controls that moved: by beginning anew, where nothing that took long would be lost."""
        self.reset()
