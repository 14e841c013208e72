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
    """A stored solution u(x, t), periodic in x, by its name: x (2,) -> ().

    u = Σ T_m(τ) (a_mk cos kξ + b_mk sin kξ), with τ from -1 to 1 in each panel of time and ξ = 2π (x - lower) / length.

    Examples
    --------
    >>> from sketchlab.equations.references import Reference
    >>> solution = Reference("korteweg_de_vries")
    >>> bool(abs(solution(jnp.array([0.3, 0.0])) - jnp.cos(0.3 * jnp.pi)) < 1e-9), solution.error < 1e-9
    (True, True)
    """

    name: str

    @functools.cached_property
    def _stored(self):
        with np.load(DATA / f"{self.name}.npz") as file:
            return dict(file)

    @property
    def error(self) -> float:
        """Relative L2 difference of two computations, the second with twice the modes and steps."""
        return float(self._stored["error"])

    def __call__(self, x: jax.Array) -> jax.Array:
        """Evaluate at one point (x, t)."""
        place, time = x
        stored = {name: np.asarray(value, x.dtype) for name, value in self._stored.items()}
        edges, cosine, sine = stored["edges"], stored["cosine"], stored.get("sine")
        panels, degrees, modes = cosine.shape
        # The last panel that begins before this time; one of the ends belongs to both.
        panel = jnp.sum(jnp.asarray(edges[1:-1]) < jax.lax.stop_gradient(time))
        start, end = jnp.asarray(edges)[panel], jnp.asarray(edges)[panel + 1]
        tau = (2 * time - start - end) / (end - start)

        def next_polynomial(former, _):
            before, now = former
            return (now, 2 * tau * now - before), before

        _, polynomials = jax.lax.scan(next_polynomial, (jnp.ones_like(tau), tau), length=degrees)
        # A product with all panels, all but one times zero: cheaper for many points than to pick coefficients for each.
        at = jnp.where(jnp.arange(panels)[:, None] == panel, polynomials, 0.0).ravel()
        angles = (2 * np.pi / stored["length"]) * (place - stored["lower"]) * np.arange(modes, dtype=x.dtype)
        u = at @ cosine.reshape(-1, modes) @ jnp.cos(angles)
        return u if sine is None else u + at @ sine.reshape(-1, modes) @ jnp.sin(angles)
