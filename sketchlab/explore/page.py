"""The browser's side of an explorer: how it looks, what it copies, that somebody is looking, and what has been drawn."""

import os
import time
from pathlib import Path

import anywidget
import traitlets

#: Scripts and styles.
STATIC = Path(__file__).parent / "static"
#: Seconds between two signs of life, and how long to wait for the next after each kind of sign. Browsers slow the clock of a page
#: in the background down to a tick a minute. After the last sign another view, or the page after a reload, has time to speak up.
PULSE = 5
#: Pictures that may be on their way: with none the page would wait for the kernel as long as the kernel for the page.
AHEAD = 1
PATIENCE = {"here": 3 * PULSE, "hidden": 90, "gone": 2 * PULSE}


def served() -> bool:
    """Return whether this is the kernel of a page that Voila serves to visitors."""
    return os.environ.get("SERVER_SOFTWARE", "").startswith("voila")


class Page(anywidget.AnyWidget):
    """Buttons that copy a line of text and a link, in a page that sends signs of life.

    Parameters
    ----------
    arrive : callable, (settings) -> None
        Called with the settings in the page's address, once. They may be anybody's.

    Attributes
    ----------
    text : str
        What the first button copies.
    settings : str
        JSON that the link carries behind its #, with the name of the explorer.
    frame : int
        Pictures sent so far. The page gets them in order, and tells the number when it has drawn one.
    """

    text = traitlets.Unicode().tag(sync=True)
    settings = traitlets.Unicode("{}").tag(sync=True)
    pulse = traitlets.Int(PULSE).tag(sync=True)
    frame = traitlets.Int(0).tag(sync=True)

    _esm = STATIC / "page.js"
    _css = STATIC / "explorer.css"

    def __init__(self, arrive):
        super().__init__()
        self._arrive = arrive
        # Without a browser nothing ever arrives, and nothing ends.
        self._deadline = float("inf")
        self._late_since = None
        self._drawn = None
        self.on_msg(self._hear)

    def _hear(self, _, message, __):
        if "settings" in message:
            self._arrive(message["settings"])
            return
        self._deadline = time.monotonic() + PATIENCE[message["kind"]]
        self._late_since = None
        # A page that is loaded again begins with the latest.
        self._drawn = max(self._drawn or 0, message["frame"])

    @property
    def watched(self) -> bool:
        """Whether somebody looks, or has never looked."""
        now = time.monotonic()
        if now < self._deadline:
            return True
        # While a cell runs, signs of life wait in line: once it is done they have a moment to be heard.
        self._late_since = now if self._late_since is None else self._late_since
        return now < self._late_since + PULSE

    @property
    def caught_up(self) -> bool:
        """Whether all that was sent, but for one picture on its way, has been drawn, or nobody ever looked."""
        return self._drawn is None or self._drawn >= self.frame - AHEAD
