"""The browser's side of an explorer: it copies text, and says that somebody is looking."""

import time

import anywidget
import traitlets

#: Seconds between two signs of life, and how long to wait for the next after each kind of sign. Browsers slow the clock of a page
#: in the background down to a tick a minute. After the last sign another view, or the page after a reload, has time to speak up.
PULSE = 5
PATIENCE = {"here": 3 * PULSE, "hidden": 90, "gone": 2 * PULSE}


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
            const live = () => say(document.hidden ? "hidden" : "here");
            const leave = () => {
                // A page that goes turns hidden right after it has said goodbye, and would be waited for.
                document.removeEventListener("visibilitychange", live);
                say("gone");
            };
            const timer = setInterval(live, 1000 * model.get("pulse"));
            document.addEventListener("visibilitychange", live);
            window.addEventListener("pagehide", leave);
            live();
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
        self._late_since = None
        self.on_msg(self._hear)

    def _hear(self, _, message, __):
        self._deadline = time.monotonic() + PATIENCE[message["kind"]]
        self._late_since = None

    @property
    def watched(self) -> bool:
        """Whether somebody looks, or has never looked."""
        now = time.monotonic()
        if now < self._deadline:
            return True
        # While a cell runs, signs of life wait in line: once it is done they have a moment to be heard.
        self._late_since = now if self._late_since is None else self._late_since
        return now < self._late_since + PULSE
