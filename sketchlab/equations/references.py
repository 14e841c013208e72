"""Solutions that have no formula: computed once by a spectral method (``benchmarks/references.py``), stored, and evaluated here.

They are functions of a point as formulas are, smooth in each panel of time, so that residuals can be tested on them.
"""

import functools
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Reference:
    """A stored solution by its name, the part that all kinds have in common."""

    name: str

    @functools.cached_property
    def _stored(self):
        with np.load(DATA / f"{self.name}.npz") as file:
            return dict(file)

    @property
    def error(self) -> float:
        """Relative L2 difference of two computations, of which the second is stored."""
        return float(self._stored["error"])


@dataclass(frozen=True)
class Evolution(Reference):
    """A stored solution u(x, t), periodic in x: x (2,) -> ().

    u = Σ T_m(τ) (a_mk cos kξ + b_mk sin kξ), with τ from -1 to 1 in each panel of time and ξ = 2π (x - lower) / length.

    Examples
    --------
    >>> from sketchlab.equations.references import Evolution
    >>> solution = Evolution("korteweg_de_vries")
    >>> bool(abs(solution(jnp.array([0.3, 0.0])) - jnp.cos(0.3 * jnp.pi)) < 1e-9), solution.error < 1e-9
    (True, True)
    """

    def __call__(self, x: jax.Array) -> jax.Array:
        """Evaluate at one point (x, t)."""
        place, time = x
        stored = {name: np.asarray(value, x.dtype) for name, value in self._stored.items()}
        edges, cosine, sine = stored["edges"], stored["cosine"], stored.get("sine")
        panels, degrees, modes = cosine.shape
        # The last panel that begins before this time; one of the ends belongs to both.
        panel = jnp.sum(jnp.asarray(edges[1:-1]) < jax.lax.stop_gradient(time))
        start, end = jnp.asarray(edges)[panel], jnp.asarray(edges)[panel + 1]
        polynomials = _chebyshev((2 * time - start - end) / (end - start), degrees)
        # A product with all panels, all but one times zero: cheaper for many points than to pick coefficients for each.
        at = jnp.where(jnp.arange(panels)[:, None] == panel, polynomials, 0.0).ravel()
        angles = (2 * np.pi / stored["length"]) * (place - stored["lower"]) * np.arange(modes, dtype=x.dtype)
        u = at @ cosine.reshape(-1, modes) @ jnp.cos(angles)
        return u if sine is None else u + at @ sine.reshape(-1, modes) @ jnp.sin(angles)


@dataclass(frozen=True)
class Flow(Reference):
    """A stored stream function ψ(x, y) on the unit square: x (2,) -> (), ψ = Σ c_mn T_m(2x - 1) T_n(2y - 1).

    Examples
    --------
    >>> from sketchlab.equations.references import Flow
    >>> bool(abs(Flow("cavity")(jnp.array([1.0, 0.5]))) < 1e-9)
    True
    """

    def __call__(self, x: jax.Array) -> jax.Array:
        """Evaluate at one point (x, y)."""
        coefficients = np.asarray(self._stored["coefficients"], x.dtype)
        across, up = (_chebyshev(2 * place - 1, len(coefficients)) for place in x)
        return across @ coefficients @ up


def _chebyshev(tau, count):
    """Return the Chebyshev polynomials T_0(τ) … (count,)."""

    def next_polynomial(former, _):
        before, now = former
        return (now, 2 * tau * now - before), before

    _, polynomials = jax.lax.scan(next_polynomial, (jnp.ones_like(tau), tau), length=count)
    return polynomials
