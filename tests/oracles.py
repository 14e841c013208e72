"""Slow or independent answers to compare with: none of them uses the code under test, apart from describing a problem."""

import itertools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

import sketchlab as sl
from sketchlab.domains import unit_points


def orthonormal(rows, columns, seed):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((rows, columns)))[0]


def matrix_with(singular_values, rows, columns, seed=0):
    """Build U S Vᵀ (rows, columns) with the given singular values; returns it with U and V."""
    s = np.asarray(singular_values)
    left, right = orthonormal(rows, s.size, seed), orthonormal(columns, s.size, seed + 1)
    return jnp.asarray(left * s @ right.T), left, right


def graded_matrix(singular_values, seed=0):
    """Build U S (square): columns scaled over many decades keep the small singular values exactly representable."""
    s = np.asarray(singular_values)
    return jnp.asarray(orthonormal(s.size, s.size, seed) * s)


def explicit_mlp(network, theta, x):
    """Evaluate the network with numpy, cutting theta by hand."""
    theta, x, first = np.asarray(theta), np.asarray(x), 0
    sizes = [network.dim, *[network.width] * network.depth, network.outputs]
    for layer, (columns, rows) in enumerate(itertools.pairwise(sizes)):
        weights = theta[first : first + rows * columns].reshape(rows, columns)
        biases = theta[first + rows * columns : first + rows * columns + rows]
        first += rows * columns + rows
        x = weights @ x + biases
        x = np.tanh(x) if layer < network.depth else x
    assert first == theta.size
    return x


def nested_laplacian(u):
    return lambda x: jnp.trace(jax.hessian(u)(x), axis1=-2, axis2=-1)


def damped_step(matrix, residual, damping):
    """Solve (JᵀJ + μ) d = -Jᵀ r densely."""
    matrix, residual = np.asarray(matrix), np.asarray(residual)
    return -np.linalg.solve(matrix.T @ matrix + damping * np.eye(matrix.shape[1]), matrix.T @ residual)


def cauchy_riemann():
    """Two unknowns, two equations at a point: u_x = v_y, u_y = -v_x, solved by (x² - y², 2xy)."""

    def exact(x):
        return jnp.stack([x[0] ** 2 - x[1] ** 2, 2 * x[0] * x[1]])

    def equations(u, x):
        j = sl.gradient(u)(x)
        return jnp.stack([j[0, 0] - j[1, 1], j[0, 1] + j[1, 0]])

    return sl.Problem(
        name="cauchy_riemann",
        domain=sl.Box([0.0, 0.0], [2.0, 1.0]),
        conditions=[sl.interior(equations), sl.boundary(lambda u, x: u(x) - exact(x), weight=3.0)],
        solution=exact,
        outputs=2,
    )


def unsolved():
    """A problem without a known solution."""
    return sl.Problem(
        "unsolved", sl.Box([0.0], [1.0]), [sl.interior(lambda u, x: sl.laplacian(u)(x) + 1), sl.boundary(lambda u, x: u(x))]
    )


def broken():
    """A problem whose residual is never a number."""
    return sl.Problem("broken", sl.Box([0.0], [1.0]), [sl.interior(lambda u, x: u(x) * jnp.nan)])


#: Singular values that spectra are tested on: a step, two kinds of decay, and none.
SPECTRA = {
    "step": np.concatenate([np.ones(20), np.full(80, 1e-3)]),
    "exponential": 0.8 ** np.arange(100),
    "algebraic": 1 / np.arange(1.0, 101),
    "flat": np.ones(100),
}


@dataclass(frozen=True)
class Disk:
    """The disk of a radius around the origin, as a user may write it: generous about what it contains."""

    radius: float

    name, dim, codimension, capacity = "interior", 2, 0, None

    @property
    def measure(self):
        return np.pi * self.radius**2

    @property
    def lower(self):
        return (-self.radius, -self.radius)

    @property
    def upper(self):
        return (self.radius, self.radius)

    @property
    def boundary(self):
        return Circle(self.radius)

    def sample(self, n, *, seed, sampler):
        square, angle = unit_points(sampler, n, 2, seed).T
        # Even by area: the square of the distance is uniform.
        return self.radius * np.sqrt(square)[:, None] * np.stack([np.cos(2 * np.pi * angle), np.sin(2 * np.pi * angle)], axis=1)

    def contains(self, x):
        return np.linalg.norm(x, axis=1) <= self.radius * (1 + 1e-6)


@dataclass(frozen=True)
class Circle:
    """The boundary of a disk."""

    radius: float

    name, dim, codimension, capacity = "boundary", 2, 1, None

    @property
    def measure(self):
        return 2 * np.pi * self.radius

    def sample(self, n, *, seed, sampler):
        angle = 2 * np.pi * unit_points(sampler, n, 1, seed)
        return self.radius * np.concatenate([np.cos(angle), np.sin(angle)], axis=1)

    def contains(self, x):
        return np.abs(np.linalg.norm(x, axis=1) - self.radius) <= self.radius * 1e-6

    def normal(self, x):
        return x / jnp.linalg.norm(x)

    def distance(self, x):
        return jnp.abs(jnp.linalg.norm(x) - self.radius)


def robin_on_a_disk():
    """Δu = 4 on the unit disk with u + ∂u/∂n = 3 on the circle, solved by |x|²."""
    return sl.Problem(
        name="robin on a disk",
        domain=sl.Ball([0.0, 0.0], 1.0),
        conditions=[
            sl.interior(lambda u, x: sl.laplacian(u)(x) - 4.0),
            sl.boundary(lambda u, x, normal: u(x) + sl.gradient(u)(x) @ normal - 3.0),
        ],
        solution=lambda x: x @ x,
    )
