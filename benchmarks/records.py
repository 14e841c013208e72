"""The equations that the field finds hard, each by its recipe: error and time against a goal, and the record elsewhere."""

import math
import statistics
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.polynomial import chebyshev, legendre

import sketchlab as sl
from benchmarks import references


class Goal(NamedTuple):
    """A problem of the catalogue, its arguments, the relative L2 error and the seconds of steps to reach, and the record.

    The seconds are those of a machine whose matrix products run at `SPEED`.

    Of a stream function, the error of its gradient counts: that of the velocity.
    """

    problem: str
    error: float
    seconds: float
    record: str = "–"
    arguments: Mapping[str, float] = {}
    stream: bool = False


#: GFLOP/s.
SPEED = 80
#: Records as published, by other methods on other machines; docs/optimizer-notes.md has their sources.
GOALS = {
    "convection c = 10": Goal("transport_1d", 1e-8, 20, "–", {"speed": 10}),
    "convection c = 30": Goal("transport_1d", 1e-6, 60, "1.9e-3 (for c = 6.4)", {"speed": 30}),
    "convection c = 40": Goal("transport_1d", 1e-6, 80, "1.9e-3 (for c = 6.4)", {"speed": 40}),
    "reaction ρ = 5": Goal("reaction_1d", 1e-7, 60),
    "wave, two modes": Goal("wave_1d", 1e-7, 120),
    "Helmholtz (1, 4), k = 1": Goal("helmholtz", 2e-9, 60, "2.0e-9 (540 s, GPU)"),
    "Helmholtz (4, 4), k = 4π": Goal("helmholtz", 1e-8, 120, "–", {"first": 4, "second": 4, "wavenumber": 4 * math.pi}),
    "jump of a coefficient": Goal("jump", 1e-7, 60),
    "disk": Goal("disk", 1e-9, 20),
    "L-shape": Goal("l_shape", 1e-7, 60),
    "beam": Goal("beam", 1e-8, 60),
    "Poisson 5D": Goal("poisson_5d", 1e-8, 120, "3.5e-8 (3000 s, GPU)"),
    "two species": Goal("reaction_diffusion", 1e-8, 60),
    "Kovasznay": Goal("kovasznay", 1e-9, 60),
    "heat 4+1": Goal("heat_4d", 1e-7, 180, "7.4e-7 (3000 s, GPU)"),
    "Poisson 10D": Goal("poisson_10d", 1e-7, 120, "1.2e-5 (6249 s, GPU)"),
    "Taylor-Green": Goal("taylor_green", 1e-7, 120),
    "cavity, smooth lid": Goal("cavity", 1.1e-4, 600, "1.1e-4 (403 s, H100, constant lid)", stream=True),
    "Burgers ν = 0.01": Goal("burgers", 1e-10, 120, "1.9e-12 (144 s, H100)", {"viscosity": 0.01}),
    "Burgers ν = 0.01/π": Goal("burgers", 1e-8, 180, "8.3e-9 (GPU)"),
    "Allen-Cahn": Goal("allen_cahn", 1e-6, 300, "1.9e-6 (GPU)"),
    "Korteweg-de Vries": Goal("korteweg_de_vries", 1e-6, 300, "2.2e-6 (GPU)"),
    "Kuramoto-Sivashinsky": Goal("kuramoto_sivashinsky", 1e-6, 600, "5.1e-7 (5227 s, H100)"),
}


def solve(goal: str, seeds, *, verified: bool = False) -> dict:
    """Solve one problem by its recipe from several seeds; ask `verify` too, if told so."""
    wanted = GOALS[goal]
    problem = sl.PROBLEMS[wanted.problem](**wanted.arguments)
    runs = []
    for seed in seeds:
        run = sl.solve(problem, seed=seed, progress=False)
        error = _error_of_velocity(problem, run) if wanted.stream else sl.relative_error(run)
        runs.append({
            "seed": seed,
            "steps": len(run.history),
            "seconds": float(run.history.seconds[-1]),
            "error": error,
            "loss": float(run.history.loss[-1]),
            "parameters": problem.network().size,
            "verification": asdict(found) | {"trusted": found.trusted} if verified and (found := sl.verify(run)) else None,
        })  # fmt: skip
    return {"runs": runs, "gflops": speed()}


def _error_of_velocity(problem, run):
    """Return the relative L2 error of the gradient."""
    x = jnp.asarray(problem.domain.sample(4096, seed=1, sampler=sl.SAMPLERS["sobol"]))
    exact = jax.vmap(jax.grad(problem.solution))(x)
    found = jax.vmap(jax.grad(lambda y: run.network.apply(jnp.asarray(run.theta), y)))(x)
    return float(jnp.linalg.norm(found - exact) / jnp.linalg.norm(exact))


def speed():
    """Return the speed of matrix products of this machine now, in GFLOP/s."""
    matrix, times = np.random.default_rng(0).random((1500, 1500)), []
    for _ in range(5):
        start = time.perf_counter()
        matrix @ matrix
        times.append(time.perf_counter() - start)
    return 2 * 1500**3 / statistics.median(times) / 1e9


def chebyshev_helmholtz(nodes: int = 40) -> dict:
    """Solve the Helmholtz problem of the catalogue by Chebyshev collocation: what a user would do on a square."""
    problem, start = sl.PROBLEMS["helmholtz"](), time.perf_counter()
    x = np.cos(np.pi * np.arange(nodes + 1) / nodes)
    scale = np.where((np.arange(nodes + 1) % nodes) == 0, 2.0, 1.0) * (-1.0) ** np.arange(nodes + 1)
    distances = x[:, None] - x + np.eye(nodes + 1)
    slope = np.outer(scale, 1 / scale) / distances
    slope -= np.diag(slope.sum(axis=1))
    second, unit = (slope @ slope)[1:-1, 1:-1], np.eye(nodes - 1)
    points = np.stack(np.meshgrid(x[1:-1], x[1:-1], indexing="ij"), axis=-1).reshape(-1, 2)
    exact = np.asarray(jax.vmap(problem.solution)(points))
    # The values on the boundary are zero.
    operator = np.kron(second, unit) + np.kron(unit, second) + np.eye(len(points))
    u = np.linalg.solve(operator, (1 - 17 * np.pi**2) * exact)
    return {"error": float(np.linalg.norm(u - exact) / np.linalg.norm(exact)), "seconds": time.perf_counter() - start}


def fourier(name: str, modes: int) -> dict:
    """Solve a periodic equation with fewer modes and steps than its stored solution, and compare at the end."""
    one, start = references.EVOLUTIONS[name], time.perf_counter()
    coarse = replace(one, modes=modes, step=5 * one.step)
    coefficients = references.solve(coarse, np.array([1.0]))[0]
    seconds = time.perf_counter() - start
    x = one.lower + one.length * np.arange(modes) / modes
    solution = sl.PROBLEMS[name]().solution
    exact = np.asarray(jax.vmap(solution)(np.stack([x, np.ones(modes)], axis=1)))
    u = np.fft.irfft(coefficients * modes, modes)
    return {"error": float(np.linalg.norm(u - exact) / np.linalg.norm(exact)), "seconds": seconds}


def galerkin(degree: int) -> dict:
    """Solve the cavity with polynomials of fewer degrees than its stored solution; the error is that of the velocity."""
    start = time.perf_counter()
    found = references.cavity(degree)
    seconds = time.perf_counter() - start
    z, weight = legendre.leggauss(60)
    exact = np.load(references.DATA / "cavity.npz")["coefficients"]

    def size(coefficients):
        slopes = [chebyshev.chebgrid2d(z, z, chebyshev.chebder(coefficients, axis=axis)) for axis in (0, 1)]
        return np.sqrt(sum(weight @ slope**2 @ weight for slope in slopes))

    error = size(np.pad(found, (0, len(exact) - len(found))) - exact) / size(exact)
    return {"error": float(error), "seconds": seconds}


#: Jobs that solve by spectral methods, by what the table calls them.
SPECTRAL = {
    "Helmholtz (1, 4) by Chebyshev collocation, 40 × 40": ("chebyshev", {"nodes": 40}),
    "Korteweg-de Vries by 384 Fourier modes": ("fourier", {"name": "korteweg_de_vries", "modes": 384}),
    "Allen-Cahn by 1024 Fourier modes": ("fourier", {"name": "allen_cahn", "modes": 1024}),
    "cavity, smooth lid, by Galerkin's method with 24² polynomials": ("galerkin", {"degree": 24}),
}


def measure(run, seeds):
    """Run every goal, and the spectral methods."""
    return [*(run("solve", goal=goal, seeds=seeds) for goal in GOALS), *(run(job, **asked) for job, asked in SPECTRAL.values())]


def lines(measured):
    """Return the rows of the table."""
    found = []
    for result in measured:
        if "goal" not in result:
            title = next(title for title, (_, asked) in SPECTRAL.items() if asked.items() <= result.items())
            found.append([title, "–", f"{result['error']:.0e}", "–", f"{result['seconds']:.2g}", "–", "–", "–", "–"])
            continue
        goal, runs = GOALS[result["goal"]], result["runs"]
        errors, seconds = [one["error"] for one in runs], [one["seconds"] for one in runs]
        allowed = 1.05 * goal.seconds * SPEED / result["gflops"]
        reached = sum(one["error"] <= goal.error and one["seconds"] <= allowed for one in runs)
        found.append([
            result["goal"],
            f"{goal.error:.0e} in {goal.seconds:g} s",
            f"{statistics.median(errors):.1e} / {max(errors):.1e}",
            f"{reached} of {len(runs)}",
            f"{statistics.median(seconds):.0f} / {max(seconds):.0f}",
            f"{result['gflops']:.0f}",
            f"{statistics.median(one['steps'] for one in runs):.0f}",
            f"{runs[0]['parameters']:,}",
            goal.record,
        ])  # fmt: skip
    return found


def measure_certificates(run, seeds):
    """Verify every goal."""
    return [run("solve", goal=goal, seeds=seeds, verified=True) for goal in GOALS]


def certificate_lines(measured):
    """Return the rows of the table of estimates against the truth."""
    found = []
    for result in measured:
        pairs = [(one["verification"], one["error"]) for one in result["runs"]]
        ratios = [verification["error"] / error for verification, error in pairs]
        close = sum(0.1 <= ratio <= 10 for ratio in ratios)
        wrong = sum(verification["trusted"] and error > 0.1 for verification, error in pairs)
        found.append([
            result["goal"],
            f"{statistics.median(error for _, error in pairs):.0e}",
            f"{close} of {len(pairs)}",
            f"{min(ratios):.2g} to {max(ratios):.2g}",
            f"{sum(verification['trusted'] for verification, _ in pairs)}",
            f"{wrong}",
        ])  # fmt: skip
    return found
