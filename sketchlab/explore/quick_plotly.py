"""Plotly's graph objects, two seconds sooner.

Plotly looks for nbformat, which loads jsonschema, which loads, if it can, a check of internationalized web addresses that builds
a grammar: that was half of the time until a first picture. No explorer checks addresses, so the check is out of sight meanwhile.
"""

import sys

_CHECK = "rfc3987_syntax"
_hidden = _CHECK not in sys.modules
if _hidden:
    # An import of what is None here fails as if it were not installed.
    sys.modules[_CHECK] = None

import plotly.basewidget  # noqa: E402, F401  this is what loads nbformat
import plotly.graph_objects as go  # noqa: E402

if _hidden:
    del sys.modules[_CHECK]

__all__ = ["go"]
