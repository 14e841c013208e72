"""Solutions of equations that have no closed form, computed by spectral methods: ``python -m benchmarks.references [NAME …]``.

Each is written to ``sketchlab/equations/data/NAME.npz``, which `sketchlab.equations.references` evaluates: Fourier coefficients
in space, expanded in Chebyshev polynomials on panels of time. Its error is what another resolution in space and time differs by,
in the relative L2 norm over the whole interval.

Periodic equations u_t = L u + N(u), with L diagonal in Fourier space, go by the classical Runge-Kutta method of fourth order for
exp(-tL) u, with two thirds of the modes kept in the products.

The flow in a cavity goes by Galerkin's method, with polynomials that satisfy the conditions on the walls (Shen 1994).
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.polynomial import chebyshev, legendre

DATA = Path(__file__).parents[1] / "sketchlab/equations/data"


@dataclass(frozen=True)
class Evolution:
    """A periodic equation: its box, its first values, the symbol of L, and N in terms of û and of û -> u.

    `nodes` polynomials on each panel of time between `edges`, `modes` in space, and steps of at most `step`.
    """

    lower: float
    length: float
    first: Callable
    linear: Callable
    nonlinear: Callable
    modes: int
    step: float
    edges: np.ndarray
    nodes: int


def _advection(speed):
    """Return -speed (u²/2)_x."""
    return lambda v, k, real: -0.5j * speed * k * np.fft.rfft(real(v) ** 2)


EVOLUTIONS = {
    # The first values have a kink at the ends of the period, so the first panels are short.
    "allen_cahn": Evolution(
        -1.0,
        2.0,
        lambda x: x**2 * np.cos(np.pi * x),
        lambda k: -1e-4 * k**2 + 5.0,
        lambda v, k, real: np.fft.rfft(-5.0 * real(v) ** 3),
        4096,
        5e-4,
        np.concatenate([[0.0], 2.0 ** np.arange(-18.0, 1.0)]),
        12,
    ),
    "korteweg_de_vries": Evolution(
        -1.0,
        2.0,
        lambda x: np.cos(np.pi * x),
        lambda k: 1j * 0.022**2 * k**3,
        _advection(1.0),
        768,
        2e-5,
        np.linspace(0.0, 1.0, 33),
        24,
    ),
    "kuramoto_sivashinsky": Evolution(
        0.0,
        2 * np.pi,
        lambda x: np.cos(x) * (1 + np.sin(x)),
        lambda k: 100 / 16**2 * k**2 - 100 / 16**4 * k**4,
        _advection(100 / 16),
        384,
        2e-5,
        np.linspace(0.0, 1.0, 33),
        24,
    ),
}


def solve(one: Evolution, times: np.ndarray, *, finer: int = 1) -> np.ndarray:
    """Return the Fourier coefficients, scaled to be those of u, at increasing times: (times, modes / 2 + 1)."""
    n = one.modes * finer
    x = one.lower + one.length * np.arange(n) / n
    k = 2 * np.pi / one.length * np.arange(n // 2 + 1)
    kept = np.arange(n // 2 + 1) < n / 3
    symbol = one.linear(k)

    def real(v):
        return np.fft.irfft(v, n)

    def change(v):
        return one.nonlinear(v, k, real) * kept

    v, now, found = np.fft.rfft(one.first(x)) * kept, 0.0, []
    for time in times:
        steps = int(np.ceil((time - now) / one.step * finer))
        if steps:
            dt = (time - now) / steps
            half = np.exp(symbol * dt / 2)
            for _ in range(steps):
                a = change(v)
                b = change(half * (v + dt / 2 * a))
                c = change(half * v + dt / 2 * b)
                d = change(half * (half * v + dt * c))
                v = half * (half * v + dt / 6 * (half * a + 2 * b + 2 * c)) + dt / 6 * d
        now = time
        found.append(v / n)
    return np.array(found)


def expand(one: Evolution, finer: int = 1) -> np.ndarray:
    """Return the coefficients (panels, nodes, modes / 2 + 1) of u(x, t) = Σ T_m(τ) c_m · e^(ikx)."""
    angles = np.pi * (np.arange(one.nodes) + 0.5) / one.nodes
    ticks = np.sort((1 - np.cos(angles)) / 2)
    times = (one.edges[:-1, None] + np.diff(one.edges)[:, None] * ticks).ravel()
    values = solve(one, times, finer=finer).reshape(len(one.edges) - 1, one.nodes, -1)
    return np.einsum("mi,pik->pmk", _back(2 * ticks - 1), values)


def _back(nodes):
    """Return the matrix from values at the zeros of a Chebyshev polynomial to coefficients, by discrete orthogonality."""
    polynomials = chebyshev.chebvander(nodes, len(nodes) - 1).T * (2 / len(nodes))
    polynomials[0] /= 2
    return polynomials


def write(name: str) -> None:
    """Compute a solution twice, and store the finer one with what the two differ by."""
    one = EVOLUTIONS[name]
    coarse, fine = expand(one), expand(one, finer=2)[:, :, : one.modes // 2 + 1]

    def size(c):
        # By values at the Gauss-Legendre nodes of each panel.
        tau, weight = legendre.leggauss(2 * one.nodes)
        at = np.einsum("gm,pmk->pgk", chebyshev.chebvander(tau, one.nodes - 1), c)
        both_signs = np.where(np.arange(c.shape[2]) == 0, 1, 2)
        return np.sqrt(np.einsum("g,p,pgk,k->", weight / 2, np.diff(one.edges), np.abs(at) ** 2, both_signs))

    error = size(coarse - fine) / size(fine)
    last = np.flatnonzero(np.abs(fine).max(axis=(0, 1)) > 1e-13)[-1] + 1
    fine = fine[:, :, :last] * np.where(np.arange(last) == 0, 1, 2)
    path = DATA / f"{name}.npz"
    # Without what is below rounding errors, the rest compresses well.
    parts = {kind: np.where(np.abs(part) > 1e-13, part, 0.0) for kind, part in (("cosine", fine.real), ("sine", -fine.imag))}
    parts = {kind: part for kind, part in parts.items() if part.any()}
    np.savez_compressed(path, edges=one.edges, lower=one.lower, length=one.length, error=error, **parts)
    print(f"{name}: {last} modes, error {error:.1e}, {path.stat().st_size / 1e6:.2f} MB")


#: Of the flow in the cavity.
REYNOLDS = 100


def cavity(degree: int) -> np.ndarray:
    """Return the Chebyshev coefficients (n, n) of the stream function of the lid-driven cavity on (0, 1)².

    Newton's method for ∫ Δψ Δφ / Re + ∫ Δψ (ψ_y φ_x - ψ_x φ_y) = 0, for all φ that vanish on the walls with their slopes; ψ is
    one of them and a polynomial with the values on the walls.
    """
    z, weight = legendre.leggauss(degree + degree // 2 + 4)
    basis = []
    for k in range(degree):
        # L_k with as much of L_k+2 and L_k+4 as makes values and slopes at both ends vanish.
        one = np.zeros(k + 5)
        one[[k, k + 2, k + 4]] = 1, -2 * (2 * k + 5) / (2 * k + 7), (2 * k + 3) / (2 * k + 7)
        basis.append(one / (2 * (2 * k + 3) ** 2 * (2 * k + 5)) ** 0.5)
    at = [np.stack([legendre.legval(z, legendre.legder(one, d)) for one in basis], axis=1) * 2.0**d for d in range(3)]
    x = np.polynomial.Polynomial([0.5, 0.5])
    walls = (16 * x**2 * (1 - x) ** 2, -(x**2) * (1 - x))
    walls_at = [[wall.deriv(d)(z) * 2.0**d if d else wall(z) for d in range(3)] for wall in walls]

    def both(a, b):
        """Return a derivative of all functions of the basis at all points, and that of the polynomial for the walls."""
        return np.kron(at[a], at[b]), np.kron(walls_at[0][a], walls_at[1][b])

    (dx, wall_x), (dy, wall_y) = both(1, 0), both(0, 1)
    laplacian, wall_laplacian = both(2, 0)[0] + both(0, 2)[0], both(2, 0)[1] + both(0, 2)[1]
    weights, q = np.kron(weight, weight), np.zeros(degree**2)
    for _ in range(12):
        slope, rise, vorticity = dx @ q + wall_x, dy @ q + wall_y, laplacian @ q + wall_laplacian
        residual = laplacian.T @ (weights * vorticity) / REYNOLDS + (dx.T * rise - dy.T * slope) @ (weights * vorticity)
        weighted, turning = weights[:, None] * laplacian, (weights * vorticity)[:, None]
        matrix = laplacian.T @ weighted / REYNOLDS + (dx.T * rise - dy.T * slope) @ weighted
        matrix += dx.T @ (turning * dy) - dy.T @ (turning * dx)
        change = np.linalg.solve(matrix, -residual)
        q += change
        if np.abs(change).max() < 1e-12 * np.abs(q).max():
            break
    nodes = np.cos(np.pi * (np.arange(degree + 4) + 0.5) / (degree + 4))
    functions = np.stack([legendre.legval(nodes, one) for one in basis], axis=1)
    values = functions @ q.reshape(degree, degree) @ functions.T + np.outer(*(wall(nodes) for wall in walls))
    back = _back(nodes)
    return back @ values @ back.T


def write_cavity() -> None:
    """Compute the flow in the cavity twice, and store the finer one with what the two differ by."""
    coarse, fine = cavity(32), cavity(40)
    z, weight = legendre.leggauss(80)
    coarse, at_points = np.pad(coarse, (0, 8)), chebyshev.chebgrid2d(z, z, fine)
    difference = chebyshev.chebgrid2d(z, z, fine - coarse)
    error = np.sqrt((weight @ difference**2 @ weight) / (weight @ at_points**2 @ weight))
    np.savez_compressed(DATA / "cavity.npz", coefficients=fine, error=error)
    print(f"cavity: degree {len(fine) - 1}, error {error:.1e}")


if __name__ == "__main__":
    for chosen in sys.argv[1:] or [*EVOLUTIONS, "cavity"]:
        write_cavity() if chosen == "cavity" else write(chosen)
