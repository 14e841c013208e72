import base64
import re

import jax.numpy as jnp
import matplotlib.pyplot as plt
import pytest

import sketchlab as sl
from sketchlab.explore import show


def test_a_shown_figure_is_a_picture_with_words_and_leaves_no_figure_open():
    ax = sl.plot_spectrum(sl.full_spectrum(sl.from_matrix(jnp.diag(jnp.array([2.0, 1.0])))))
    page = show(ax, alt='two "eigenvalues"', caption="1 & 4").data
    assert 'alt="two &quot;eigenvalues&quot;"' in page and "<figcaption>1 &amp; 4</figcaption>" in page
    picture = base64.b64decode(re.search(r"base64,([^\"]+)", page)[1])
    assert picture.startswith(b"\x89PNG") and len(picture) > 5000
    assert plt.get_fignums() == []


def test_words_are_asked_for():
    with pytest.raises(sl.InputError, match="alt is empty"):
        show(plt.figure().add_subplot(), alt=" ")
