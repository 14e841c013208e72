"""Test matrices: thin random matrices that a sketch multiplies with.

Ω has l columns in R^n. It must favour no direction: E[ΩΩᵀ] = (l/n) I, so that a column has length 1 on average. The kinds differ
in how many random numbers they need, and in whether a draw can be unlucky: a Gaussian matrix mixes all coordinates, so that no J
is hard for it; column sampling looks at a few parameters only and misses what is concentrated elsewhere.

The package sees J by its products with matrices. So Ω is formed, n l numbers, and a product costs the same for every kind. Few
entries or a fast transform would save time only if single entries of J were known; docs/spectra.md has the measured times.

>>> test_matrix = sl.SKETCHES["rademacher"](3, 4, key=jax.random.key(0))
>>> test_matrix.shape, np.unique(np.abs(test_matrix))
((4, 3), array([0.5]))

=========  ===========  ==========  ==========================================================
symbol     name         shape       meaning
=========  ===========  ==========  ==========================================================
n          size                     P in parameter space, N in residual space
l          columns                  rank + oversampling
Ω          test_matrix  (n, l)
=========  ===========  ==========  ==========================================================
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from sketchlab.validation import Catalogue, check_integer, check_key

#: A function (columns, size, *, key, dtype) -> (size, columns).
Draw = Callable[..., jax.Array]

#: Entries that are not zero in a row of a sparse sign matrix, if it has as many columns.
NONZEROS = 8


def gaussian(columns: int, size: int, *, key, dtype=None) -> jax.Array:
    """Draw independent normal entries (size, columns): the one that all bounds are proved for. n l normal numbers."""
    return jax.random.normal(_check(columns, size, key), (size, columns), dtype) / size**0.5


def rademacher(columns: int, size: int, *, key, dtype=None) -> jax.Array:
    """Draw independent signs (size, columns): as good as Gaussian in practice. n l random bits."""
    return jax.random.rademacher(_check(columns, size, key), (size, columns), dtype or float) / size**0.5


def sparse_sign(columns: int, size: int, *, key, dtype=None) -> jax.Array:
    """Draw a matrix (size, columns) with 8 random signs in every row, at random places. n l random numbers to find the places.

    Tropp, Yurtsever, Udell, Cevher 2019, "Streaming low-rank matrix approximation with an application to scientific simulation":
    8 are enough.
    """
    place_key, sign_key = jax.random.split(_check(columns, size, key))
    nonzeros = min(NONZEROS, columns)
    # The places of the largest of `columns` random numbers: a draw without replacement, row by row.
    places = jax.lax.top_k(jax.random.uniform(place_key, (size, columns), jnp.float32), nonzeros)[1]
    signs = jax.random.rademacher(sign_key, (size, nonzeros), dtype or float)
    scale = (columns / (size * max(nonzeros, 1))) ** 0.5
    return jnp.zeros((size, columns), signs.dtype).at[jnp.arange(size)[:, None], places].set(scale * signs)


def trigonometric(columns: int, size: int, *, key, dtype=None) -> jax.Array:
    """Draw a subsampled randomized cosine transform (size, columns): `columns` <= `size`. n signs and l places.

    Ω = D F S: S picks l of the n frequencies of the orthonormal cosine transform F, and the random signs D spread every vector
    evenly over them. Halko, Martinsson, Tropp 2011, Section 4.6, with the cosine in place of the Fourier transform.
    """
    sign_key, place_key = jax.random.split(_check(columns, size, key, size))
    signs = jax.random.rademacher(sign_key, (size, 1), dtype or float)
    return signs * jax.scipy.fft.idct(coordinates(columns, size, key=place_key, dtype=dtype), axis=0, norm="ortho")


def coordinates(columns: int, size: int, *, key, dtype=None) -> jax.Array:
    """Draw different columns of the identity (size, columns), `columns` <= `size`: JΩ is a sample of J's columns. l places."""
    places = jax.random.choice(_check(columns, size, key, size), size, (columns,), replace=False)
    return jnp.zeros((size, columns), dtype).at[places, jnp.arange(columns)].set(1)


def _check(columns, size, key, most=None):
    check_integer("size", size, 1)
    check_integer("columns", columns, 0, most)
    return check_key(key)


SKETCHES = Catalogue(
    "sketch",
    {
        "gaussian": gaussian,
        "rademacher": rademacher,
        "sparse-sign": sparse_sign,
        "trigonometric": trigonometric,
        "columns": coordinates,
    },
)

#: Test matrices whose first l columns are a valid draw of l columns, so that one sketch contains the smaller ones. Not
#: "sparse-sign": its 8 entries a row lie anywhere in the row.
NESTED = ("gaussian", "rademacher", "trigonometric", "columns")
