"""Still figures in a notebook, with words for those who cannot see them."""

import base64
import html
import io

from IPython.display import HTML

from sketchlab.validation import InputError, check_instance


def show(ax, *, alt: str, caption: str = "") -> HTML:
    """Turn the figure of `ax` into a picture with alternative text, and close it.

    Parameters
    ----------
    ax : matplotlib Axes
        As a ``plot_*`` function returns it.
    alt : str
        What is to be seen, for a screen reader.
    caption : str
        Below the picture.

    Returns
    -------
    HTML
        The last line of a cell displays it.

    Raises
    ------
    InputError
        If `alt` is empty.
    """
    if not check_instance("alt", alt, str, "a sentence that says what the figure shows").strip():
        raise InputError("alt is empty: say in a sentence what the figure shows.")
    # Loaded with the first picture, not with the first explorer.
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes

    check_instance("ax", ax, Axes, "what a function sl.plot_… returns")
    picture = io.BytesIO()
    ax.figure.savefig(picture, format="png", dpi=100)
    plt.close(ax.figure)
    source = base64.b64encode(picture.getvalue()).decode()
    return HTML(
        f'<figure style="margin: 0"><img style="max-width: 100%" alt="{html.escape(alt)}" src="data:image/png;base64,{source}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )
