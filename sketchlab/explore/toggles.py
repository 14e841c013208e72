"""What tells readers of the screen which toggle button is pressed."""

import anywidget

from sketchlab.explore.page import STATIC


class Toggles(anywidget.AnyWidget):
    """Out of sight among the children of a box, it keeps ``aria-pressed`` of all toggle buttons in that box."""

    _esm = STATIC / "toggles.js"
