"""Plotly's live figures, seconds sooner.

In the kernel: plotly looks for nbformat, which loads jsonschema, which loads, if it can, a check of internationalized web
addresses that builds a grammar for two seconds. No explorer checks addresses, so the check is out of sight meanwhile.

In the page: every FigureWidget brings its own copy of plotly.js, five megabytes to send, to read and to keep, which is most of a
second for each figure. A `LiveFigure` waits for the one copy that `PlotlyInPage` brings for all.
"""

import functools
import sys

import anywidget
import traitlets

_CHECK = "rfc3987_syntax"
_hidden = _CHECK not in sys.modules
if _hidden:
    # An import of what is None here fails as if it were not installed.
    sys.modules[_CHECK] = None

import plotly.basewidget  # noqa: E402  this is what loads nbformat
import plotly.graph_objects as go  # noqa: E402

if _hidden:
    del sys.modules[_CHECK]

__all__ = ["LiveFigure", "go"]

#: The place in a page where the module is left by the one who brings it, for those who wait for it.
_PLACE = f"""
const place = globalThis["sketchlab's plotly {plotly.__version__}"] ??= (() => {{
    let leave;
    const module = new Promise(resolve => {{ leave = resolve; }});
    return {{ module, leave }};
}})();
"""


class PlotlyInPage(anywidget.AnyWidget):
    """Brings plotly.js into a page, once, without being seen."""

    source = traitlets.Unicode().tag(sync=True)

    _esm = (
        _PLACE
        + """
    export default {
        initialize({ model }) {
            const address = URL.createObjectURL(new Blob([model.get("source")], { type: "text/javascript" }));
            place.leave(import(address));
        },
    };
    """
    )


class LiveFigure(go.FigureWidget):
    """A FigureWidget that shares plotly.js with all others in its page."""

    _esm = (
        _PLACE
        + """
    export default () => {
        let figure;
        return {
            async initialize(context) {
                figure = (await place.module).default();
                return figure.initialize(context);
            },
            render: context => figure.render(context),
        };
    };
    """
    )

    def __init__(self, *args, **options):
        _bring_plotly()
        super().__init__(*args, **options)


@functools.cache
def _bring_plotly():
    return PlotlyInPage(source=str(go.FigureWidget._esm))
