"""The browser's side of an explorer: it copies text, and says that somebody is looking."""

import time

import anywidget
import traitlets

#: Seconds between two signs of life; browsers slow the clock of a page in the background down to one a minute.
PULSE, PATIENCE = 5, 90


class Page(anywidget.AnyWidget):
    """A button that copies a line of text, in a page that sends signs of life.

    Attributes
    ----------
    text : str
        What the button copies.
    """

    text = traitlets.Unicode().tag(sync=True)
    pulse = traitlets.Int(PULSE).tag(sync=True)

    _esm = """
    function copied(text) {
        // The clipboard is closed to pages that come neither from this machine nor over https: select and copy as of old.
        if (navigator.clipboard) return navigator.clipboard.writeText(text).then(() => true, () => false);
        const area = document.createElement("textarea");
        area.value = text;
        document.body.append(area);
        area.select();
        const done = document.execCommand("copy");
        area.remove();
        return Promise.resolve(done);
    }

    export default {
        render({ model, el }) {
            const button = document.createElement("button");
            button.className = "jupyter-button widget-button";
            button.style.cssText = "width: 130px; margin: 2px";
            button.title = "Copy a line of Python that brings this explorer back as it is now";
            const name = "Copy settings";
            const icon = '<i class="fa fa-copy"></i>';
            button.innerHTML = icon + name;
            button.onclick = async () => {
                button.textContent = (await copied(model.get("text"))) ? "Copied" : "Copy the line below";
                setTimeout(() => { button.innerHTML = icon + name; }, 1500);
            };
            el.append(button);
            const say = kind => model.send({ kind });
            const leave = () => say("gone");
            const timer = setInterval(() => say("here"), 1000 * model.get("pulse"));
            window.addEventListener("pagehide", leave);
            say("here");
            return () => {
                clearInterval(timer);
                window.removeEventListener("pagehide", leave);
                leave();
            };
        },
    };
    """

    def __init__(self):
        super().__init__()
        # Without a browser nothing ever arrives, and nothing ends.
        self._deadline = float("inf")
        self.on_msg(self._hear)

    def _hear(self, _, message, __):
        # Another view of the same explorer, or the page after a reload, has some time to speak up.
        grace = PATIENCE if message["kind"] == "here" else 2 * PULSE
        self._deadline = time.monotonic() + grace

    @property
    def watched(self) -> bool:
        """Whether somebody looks, or has never looked."""
        return time.monotonic() < self._deadline
