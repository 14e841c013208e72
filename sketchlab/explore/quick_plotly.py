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
from plotly.basedatatypes import Undefined  # noqa: E402

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
    """A FigureWidget that shares plotly.js with all others in its page, and is there whole in a page that is opened later.

    It is as large as its place in the page, and says what is on it to those who cannot see it. No button of its own is in it:
    plotly's would send the figure to somebody's server.
    """

    _esm = (
        _PLACE
        + """
    function describe(graph) {
        const { title, xaxis, yaxis } = graph.layout;
        const curves = graph.data.filter(trace => trace.showlegend !== false && trace.name).map(trace => trace.name);
        const axes = `${yaxis?.title?.text ?? "vertical"} against ${xaxis?.title?.text ?? "horizontal"}`;
        graph.setAttribute("role", "img");
        graph.setAttribute("aria-label", `${title?.text ?? "Figure"}. ${axes}: ${curves.join(", ")}`);
    }

    export default () => {
        let figure;
        return {
            async initialize(context) {
                figure = (await place.module).default();
                return figure.initialize(context);
            },
            render(context) {
                const end = figure.render(context);
                // Plotly looks at the size of its place when the window changes; here it is the place that does.
                const sized = new ResizeObserver(() => window.dispatchEvent(new Event("resize")));
                sized.observe(context.el);
                const name = () => {
                    // Plotly makes the place itself into its graph, some time after this.
                    if (!context.el.on) return requestAnimationFrame(name);
                    describe(context.el);
                    context.el.on("plotly_afterplot", () => describe(context.el));
                };
                name();
                return () => {
                    sized.disconnect();
                    end();
                };
            },
        };
    };
    """
    )

    def __init__(self, *args, **options):
        _bring_plotly()
        super().__init__(*args, **options)
        self._config = self._config | {"displayModeBar": False, "responsive": True}

    def get_state(self, key=None, drop_defaults=False):
        """Return what a page needs to know: plotly would tell a page that is loaded again of the figure as it was made."""
        state = super().get_state(key, drop_defaults)
        # A widget is announced before it has any data.
        if key is None and hasattr(self, "_data"):
            for name, now in (("_widget_data", self._data), ("_widget_layout", self._layout_obj._props)):
                state[name] = self.trait_metadata(name, "to_json")(now, self)
        return state

    def _send_update_msg(self, restyle_data, relayout_data, trace_indexes=None, source_view_id=None):
        """Send a batch with a value for every curve: one that is left undefined is lost to a page that has not drawn it yet."""
        whole = {
            name: [self.data[i][name] if value is Undefined else value for i, value in zip(trace_indexes, values, strict=True)]
            for name, values in restyle_data.items()
        }
        super()._send_update_msg(whole, relayout_data, trace_indexes, source_view_id)


@functools.cache
def _bring_plotly():
    return PlotlyInPage(source=str(go.FigureWidget._esm))
