"""What the spectrum explorer computes: a function of what the controls say, without a widget."""

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse.linalg

from sketchlab.drawing import one_output, slice_points
from sketchlab.explore.layers import embed, steepen
from sketchlab.memory import memory_at_hand, one_blas_thread
from sketchlab.networks import MLP
from sketchlab.setup import Setup
from sketchlab.sketch import OVERSAMPLING, NestedSketch
from sketchlab.spectra import survey
from sketchlab.tangents import tangent_functions
from sketchlab.validation import InputError

#: Largest N P min(N, P) whose full spectrum is computed: about half a second of work.
FULL_WORK = 3e9
#: Largest rank on the slider.
LARGEST_RANK = 400
#: Points a side of an eigenfunction.
RESOLUTION = 50
#: Eigenfunctions are evaluated as those of a network whose width is a multiple of this.
SHARED_WIDTH = 64


@dataclass(frozen=True)
class Found:
    """Sketches of all ranks, and the full spectrum where it is not too much work: in NumPy, for which no rank is new.

    Attributes
    ----------
    network, theta
    rows : int
        N
    sketches : NestedSketch
    eigenvalues : (r,) or None
        All of G.
    right : (P, r) or None
        V
    overlap : (r, L) or None
        VᵀQ
    """

    network: Any
    theta: jax.Array | np.ndarray
    rows: int
    sketches: NestedSketch
    eigenvalues: np.ndarray | None
    right: np.ndarray | None
    overlap: np.ndarray | None

    @property
    def largest_rank(self) -> int:
        """Columns of the sketch, but for those beyond the rank where there are any."""
        columns, most = len(self.sketches.triangle), min(self.rows, self.network.size)
        return columns if columns == most else columns - OVERSAMPLING

    def error(self, singular_values, vectors) -> float:
        """Return ‖G - Ĝ‖ for what `NestedSketch.ritz` returned.

        In the coordinates of the eigenvectors G is diagonal and Ĝ a product of small matrices; the norm is their difference's
        eigenvalue of largest size, by Lanczos' method, to a hundredth.
        """
        approximate = (self.overlap[:, : len(vectors)] @ vectors).astype(float)
        weights = singular_values.astype(float) ** 2

        def difference(x):
            return self.eigenvalues * x - approximate @ (weights * (approximate.T @ x))

        operator = scipy.sparse.linalg.LinearOperator((len(self.eigenvalues),) * 2, difference, dtype=float)
        start = np.random.default_rng(0).standard_normal(len(self.eigenvalues))
        return float(abs(scipy.sparse.linalg.eigsh(operator, 1, tol=1e-2, v0=start, return_eigenvectors=False)[0]))

    def eigenpair(self, index: int) -> tuple[float, np.ndarray]:
        """Return the eigenvalue of an index, from 1, and its eigenvector: of G if all are known, else of a sketch."""
        if self.right is not None:
            return float(self.eigenvalues[index - 1]), self.right[:, index - 1]
        singular_values, vectors = self.sketches.ritz(index)
        return float(singular_values[-1] ** 2), np.asarray(self.sketches.basis)[:, : len(vectors)] @ vectors[:, -1]


def find(setup: Setup, *, activation_scale: float, sketch: str, power_iterations: int) -> Found:
    """Compute what the controls ask for.

    Raises
    ------
    InputError
        If no sketch fits into memory, with the figure.
    """
    network, rows, parameters, largest = setup.network, setup.rows, setup.parameters, min(LARGEST_RANK, setup.largest_rank)
    if largest < 1:
        raise InputError(
            f"J, {rows:,} × {parameters:,}, has {spell(rows * parameters * jnp.dtype(setup.dtype).itemsize)}, and "
            f"{spell(memory_at_hand())} are at hand. Take a smaller network."
        )
    theta = steepen(network, setup.theta(), activation_scale) if isinstance(network, MLP) else setup.theta()
    affordable = rows * parameters * min(rows, parameters) <= FULL_WORK
    choices = {"largest_rank": largest, "full": affordable, "sketch": sketch, "power_iterations": power_iterations}
    full, sketches = survey(setup.problem, network, theta, points=setup.points, seed=setup.seed, dtype=setup.dtype, **choices)
    if full is None:
        return Found(network, theta, rows, sketches, None, None, None)
    right = np.asarray(full.right)
    with one_blas_thread():
        overlap = right.T @ np.asarray(sketches.basis)
    return Found(network, theta, rows, sketches, np.asarray(full.singular_values, float) ** 2, right, overlap)


def eigenfunction(problem, network, theta, vector) -> np.ndarray:
    """Evaluate the tangent function of a vector where `slice_points` says."""
    if isinstance(network, MLP):
        # A fifth of a second of compilation for each width would come at the end of every move: most widths share one.
        narrow, network = network, replace(network, width=-(-network.width // SHARED_WIDTH) * SHARED_WIDTH)
        theta, vector = (embed(narrow, given, network) for given in (theta, vector))
    return one_output(tangent_functions(problem, network, theta, vector[:, None], slice_points(problem, RESOLUTION)[0])[..., 0])


def spell(size):
    """Write bytes for people."""
    for unit, name in ((1e12, "TB"), (1e9, "GB")):
        if size >= unit:
            return f"{size / unit:,.3g} {name}"
    return f"{size / 1e6:.3g} MB"
