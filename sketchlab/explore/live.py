"""Live figures: plotly figures in the house style, updated in place."""

import re
from collections.abc import Sequence

import numpy as np

from sketchlab.drawing import BLUE, COLOURS, GREEN, GREY, ORANGE, PINK
from sketchlab.explore.quick_plotly import LiveFigure, go

__all__ = ["BLUE", "COLOURS", "DASHES", "GREEN", "GREY", "ORANGE", "PINK", "LiveFigure", "go"]

#: Patterns that keep curves apart without their colours, and what matplotlib calls them.
DASHES = {"solid": "-", "dash": "--", "dashdot": "-.", "dot": ":", "longdash": (0, (8, 2)), "longdashdot": (0, (8, 2, 1, 2))}
#: Colours of fields in plotly's and in matplotlib's spelling.
SCALES = {"Viridis": "viridis", "Magma": "magma", "RdBu_r": "RdBu_r"}
#: Where a legend may stand, inside the axes: in the corner that the curves leave free.
CORNERS = {
    "top right": {"x": 1, "xanchor": "right", "y": 1, "yanchor": "top"},
    "top left": {"x": 0, "xanchor": "left", "y": 1, "yanchor": "top"},
    "bottom left": {"x": 0, "xanchor": "left", "y": 0, "yanchor": "bottom"},
}


def log_axis(title: str, **options) -> dict:
    """Describe a logarithmic axis that prints powers of ten."""
    # With more of them plotly prints digits between the powers where there is no room for them; and powers a quarter larger.
    return {"type": "log", "title": title, "exponentformat": "power", "nticks": 5, "tickfont": {"size": 9}} | options


def figure(title: str, x_axis: dict, y_axis: dict, traces: list, *, corner: str = "top right", **layout) -> LiveFigure:
    """Make a live figure, as large as its place in the page, with its legend in a corner of the axes."""
    house = {
        "title": {"text": title, "font": {"size": 13}, "x": 0.02, "xanchor": "left", "y": 0.98, "yanchor": "top"},
        "template": "plotly_white",
        "autosize": True,
        "font": {"size": 11},
        "margin": {"l": 54, "r": 10, "t": 26, "b": 34},
        "legend": {"bgcolor": "rgba(255, 255, 255, 0.7)", "font": {"size": 10}, "itemwidth": 30, "tracegroupgap": 0}
        | CORNERS[corner],
        "hovermode": "closest",
        "xaxis": x_axis,
        "yaxis": y_axis,
    }
    made = LiveFigure(data=traces, layout=house | layout)
    for axis in (made.layout.xaxis, made.layout.yaxis):
        axis.title.standoff = 3
    return made


def line(name: str, colour: str, dash: str = "solid", *, hover: str = "%{x}, %{y:.3e}", **options) -> go.Scatter:
    """Make an empty curve, to be filled later; `hover` is what the pointer reads off it."""
    options = {"mode": "lines", "line": {"color": colour, "dash": dash, "width": 2}, "hovertemplate": hover} | options
    return go.Scatter(x=[], y=[], name=name, **options)


def fade(colour: str, opacity: float = 0.2) -> str:
    """Return a colour through which others are seen."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity})"


def fill(trace, x, y, **properties) -> None:
    """Put data into a curve."""
    trace.update(x=listed(x), y=listed(y), **properties)


def listed(values) -> list:
    """Turn an array into lists, with gaps for what is no number.

    Plotly stumbles over arrays of NumPy when the browser tells it of their defaults (`_remove_overlapping_props`).
    """
    values = np.asarray(values)
    if values.dtype.kind == "f" and not np.all(np.isfinite(values)):
        values = np.where(np.isfinite(values), values, None)
    return values.tolist()


def heatmap(colours: str) -> go.Heatmap:
    """Make an empty coloured field; `colours` is a scale that plotly and matplotlib share."""
    hover = "%{x:.3f}, %{y:.3f}: %{z:.3e}<extra></extra>"
    return go.Heatmap(name=colours, colorscale=colours, zsmooth="fast", colorbar={"thickness": 14}, hovertemplate=hover)


def field(trace, points, shape, values, **properties) -> None:
    """Put the values (n,) on a grid of `slice_points` into a coloured field."""
    # plotly wants rows along the vertical axis
    rows = np.reshape(values, shape).T
    trace.update(x=listed(points[:: shape[1], 0]), y=listed(points[: shape[1], 1]), z=listed(rows), **properties)


def copy(live: LiveFigure) -> go.Figure:
    """Return what a live figure shows as a figure that no page knows of."""
    return go.Figure(live.to_dict())


def twin(figures: Sequence[go.Figure]):
    """Draw what figures show into a figure of matplotlib, two side by side."""
    import matplotlib.figure

    columns = min(2, len(figures))
    rows = -(-len(figures) // columns)
    drawn = matplotlib.figure.Figure(figsize=(6.4 * columns, 4.2 * rows), layout="constrained")
    axes = drawn.subplots(rows, columns, squeeze=False).ravel()
    for unused in axes[len(figures) :]:
        unused.remove()
    for live, ax in zip(figures, axes, strict=False):
        for trace in live.data:
            # Of a curve without points matplotlib takes limits that a logarithm does not have.
            if trace.visible is not False and trace.x:
                _DRAW[trace.type](trace, ax)
        layout = live.layout
        scales = {f"{axis}scale": layout[f"{axis}axis"].type or "linear" for axis in "xy"}
        labels = {f"{axis}label": layout[f"{axis}axis"].title.text or "" for axis in "xy"}
        ax.set(title=layout.title.text, **{name: scale for name, scale in scales.items() if scale == "log"}, **labels)
        for axis in "xy":
            if (limits := layout[f"{axis}axis"].range) is not None:
                # Plotly has limits of a logarithmic axis as exponents.
                ax.set(**{f"{axis}lim": np.power(10.0, limits) if scales[f"{axis}scale"] == "log" else limits})
        if layout.yaxis.scaleanchor is not None:
            ax.set_aspect("equal")
        if ax.get_legend_handles_labels()[1]:
            ax.legend(fontsize=8)
    return drawn


def numbers(figures: Sequence[LiveFigure]) -> dict[str, np.ndarray]:
    """Return the arrays that live figures show, by figure, trace and axis: ``convergence.loss.y``."""
    found = {}
    for live in figures:
        for trace in live.data:
            for axis in ("x", "y", "z"):
                if (axis != "z" or trace.type == "heatmap") and trace[axis] is not None:
                    # What follows a comma in a title is of the moment.
                    chart = _slug(re.split("[,:]", live.layout.title.text)[0])
                    found[f"{chart}.{_slug(trace.name)}.{axis}"] = _array(trace[axis])
    return found


def _array(listed):
    """Turn what a trace holds into an array again, gaps into NaN."""
    values = np.asarray(listed)
    return values.astype(float) if values.dtype.kind == "O" else values


def _slug(text):
    return re.sub(r"\W+", "_", text.lower()).strip("_")


def _draw_curve(trace, ax):
    if trace.fill == "toself":
        ax.fill(_array(trace.x), _array(trace.y), alpha=0.2, color=trace.line.color)
        return
    colour = trace.line.color or trace.marker.color
    style = {"linestyle": DASHES[trace.line.dash or "solid"] if "lines" in trace.mode else "none"}
    if "markers" in trace.mode:
        style |= {"marker": "o", "markersize": (trace.marker.size or 6) / 2}
    ax.plot(_array(trace.x), _array(trace.y), color=colour, label=trace.name if trace.showlegend is not False else None, **style)


def _draw_field(trace, ax):
    image = ax.pcolormesh(_array(trace.x), _array(trace.y), _array(trace.z), cmap=SCALES[trace.name], shading="gouraud")
    ax.figure.colorbar(image, ax=ax)


def _draw_bars(trace, ax):
    ax.barh(trace.y, trace.x, color=trace.marker.color)


_DRAW = {"scatter": _draw_curve, "heatmap": _draw_field, "bar": _draw_bars}
