"""Test matrices: thin random matrices that a sketch multiplies with.

Ω has l columns in R^n. All that the theory asks of it is that it favours no direction: E[ΩΩᵀ] = (l/n) I, which makes the expected
length of a column 1. What they differ in is how many random numbers they take and whether one of them can be unlucky: a Gaussian
matrix mixes all coordinates, so that no J is hard for it, while column sampling looks at a few parameters only and misses what
is concentrated elsewhere.

J comes as products with matrices, so Ω is formed, n l numbers, and a product costs the same for each of them. Those with few
entries or a fast transform would save something only if J were at hand entry by entry; docs/spectra.md has the measured times.

=========  ===========  ==========  ==========================================================
symbol     name         shape       meaning
=========  ===========  ==========  ==========================================================
n          size                     P in parameter space, N in residual space
l          columns                  rank + oversampling
Ω          test_matrix  (n, l)
=========  ===========  ==========  ==========================================================
"""

import jax
import jax.numpy as jnp

from sketchlab.validation import Catalogue

#: Entries that are not zero in a row of a sparse sign matrix, if it has as many columns.
NONZEROS = 8


def gaussian(columns: int, size: int, *, key, dtype=None) -> jax.Array:
    """Draw independent normal entries (size, columns): the one that all bounds are proved for. n l normal numbers."""
    return jax.random.normal(key, (size, columns), dtype) / size**0.5


def rademacher(columns: int, size: int, *, key, dtype=None) -> jax.Array:
    """Draw independent signs (size, columns): as good as Gaussian in practice. n l random bits."""
    return jax.random.rademacher(key, (size, columns), dtype or float) / size**0.5


def sparse_sign(columns: int, size: int, *, key, dtype=None) -> jax.Array:
    """Draw a matrix (size, columns) with 8 random signs in every row, at random places. n l random numbers to find the places.

    Tropp, Yurtsever, Udell, Cevher 2019, "Streaming low-rank matrix approximation with an application to scientific simulation":
    8 are enough.
    """
    nonzeros = min(NONZEROS, columns)
    place_key, sign_key = jax.random.split(key)
    # The places of the largest of `columns` random numbers: a draw without replacement, row by row.
    places = jax.lax.top_k(jax.random.uniform(place_key, (size, columns), jnp.float32), nonzeros)[1]
    signs = jax.random.rademacher(sign_key, (size, nonzeros), dtype or float)
    scale = (columns / (size * nonzeros)) ** 0.5
    return jnp.zeros((size, columns), signs.dtype).at[jnp.arange(size)[:, None], places].set(scale * signs)


def trigonometric(columns: int, size: int, *, key, dtype=None) -> jax.Array:
    """Draw a subsampled randomized cosine transform (size, columns): `columns` <= `size`. n signs and l places.

    Ω = D F S: S picks l of the n frequencies of the orthonormal cosine transform F, and the random signs D spread every vector
    evenly over them. Halko, Martinsson, Tropp 2011, Section 4.6, with the cosine in place of the Fourier transform.
    """
    sign_key, place_key = jax.random.split(key)
    signs = jax.random.rademacher(sign_key, (size, 1), dtype or float)
    return signs * jax.scipy.fft.idct(coordinates(columns, size, key=place_key, dtype=dtype), axis=0, norm="ortho")


def coordinates(columns: int, size: int, *, key, dtype=None) -> jax.Array:
    """Draw different columns of the identity (size, columns), `columns` <= `size`: JΩ is a sample of J's columns. l places."""
    places = jax.random.choice(key, size, (columns,), replace=False)
    return jnp.zeros((size, columns), dtype).at[places, jnp.arange(columns)].set(1)


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

#: Those whose leading columns are a draw of fewer columns. A row of a sparse-sign matrix shares its few entries out over all.
NESTED = ("gaussian", "rademacher", "trigonometric", "columns")

#: Those whose leading rows are, but for a factor, a draw of fewer rows.
INDEPENDENT_ROWS = ("gaussian", "rademacher")
