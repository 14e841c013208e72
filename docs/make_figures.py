"""Draw every figure of docs/spectra.md and docs/equations.md anew into docs/figures: ``python docs/make_figures.py [NAME …]``.

Some minutes for all, but a quarter of an hour for the equations.

Each function below draws one figure and is named after its file.
"""

import functools
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib

matplotlib.use("Agg")
jax.config.update("jax_enable_x64", True)

import matplotlib.pyplot as plt
import numpy as np

import sketchlab as sl
from sketchlab.drawing import COLOURS, GREY, positive
from sketchlab.plots import DASHES
from sketchlab.trainer import solution_errors

FOLDER = Path(__file__).parent / "figures"
FIRST = ("poisson_1d", "poisson_2d", "poisson_5d", "heat_1d", "nonlinear_bvp", "transport_1d")
HEAT, NETWORK, POINTS = sl.PROBLEMS["heat_1d"](), sl.MLP(2, 32, 2), 1100


@functools.cache
def trained(network=NETWORK, rank=200, points=POINTS, steps=60):
    """Train the heat equation, far enough for its weights to have grown."""
    return sl.train(HEAT, network, sl.sketched_natural_gradient(rank), points=points, steps=steps, progress=False)


def spectrum():
    """Draw the full spectrum and that of every route."""
    theta = trained().theta
    spectra = {"full": sl.spectrum(HEAT, NETWORK, theta, points=POINTS)}
    spectra |= {
        f"{route}, rank 150": sl.spectrum(HEAT, NETWORK, theta, points=POINTS, rank=150, route=route) for route in sl.ROUTES
    }
    sl.plot_spectrum(spectra, rank=150).set(title="Heat equation, P = 1,185, N = 1,100, trained", xlim=(0, 300))


def precision():
    """Show where the digits die: SVD of J and eigenvalues of JᵀJ, in both precisions."""
    _, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
    reference = np.linalg.svd(np.asarray(sl.jacobian(HEAT, NETWORK, points=POINTS).dense()), compute_uv=False) ** 2
    for ax, dtype in zip(axes, ("float64", "float32"), strict=True):
        matrix = np.asarray(sl.jacobian(HEAT, NETWORK, points=POINTS, dtype=dtype).dense())
        ways = {
            "singular values of J, squared": np.linalg.svd(matrix, compute_uv=False).astype(float) ** 2,
            "eigenvalues of JᵀJ, absolute": np.sort(np.abs(np.linalg.eigvalsh(matrix.T @ matrix)).astype(float))[::-1],
        }
        ax.semilogy(range(1, 201), reference[:200], color="#BBBBBB", linewidth=5, label="float64, singular values of J")
        for (label, values), colour, dash in zip(ways.items(), COLOURS, DASHES, strict=False):
            ax.semilogy(range(1, 201), positive(values[:200]), label=label, color=colour, linestyle=dash)
        epsilon = np.finfo(dtype).eps
        for floor, name in ((epsilon, "ε λ₁"), (epsilon**2, "ε² λ₁")):
            ax.axhline(floor * reference[0], color=GREY, linestyle=(0, (1, 2)), linewidth=1)
            ax.annotate(name, (200, floor * reference[0]), (0, 2), "data", "offset points", ha="right", fontsize=8)
        ax.set(xlabel="index i", title=dtype)
        ax.legend(fontsize=8)
    axes[0].set(ylabel="eigenvalue λᵢ of the Gramian")


def spectrum_history():
    """Draw the eigenvalues that the steps of a run saw."""
    sl.plot_spectrum_history(trained(steps=100)).set(title="Heat equation: eigenvalues that each step saw")


def training():
    """Draw spectrum and effective dimension before, during and after training."""
    thetas = {"initial": None} | {f"{steps} steps": trained(steps=steps).theta for steps in (10, 100)}
    spectra = {name: sl.spectrum(HEAT, NETWORK, theta, points=POINTS) for name, theta in thetas.items()}
    _, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    sl.plot_spectrum(spectra, ax=left).set(xlim=(0, 400))
    dampings = np.logspace(-28, 0, 80)
    for (name, one), colour, dash in zip(spectra.items(), COLOURS, DASHES, strict=False):
        right.semilogx(dampings, one.effective_dimension(dampings * one.eigenvalues[0]), label=name, color=colour, linestyle=dash)
    right.set(xlabel="relative damping μ / λ₁", ylabel="effective dimension d(μ)", title="Directions that a damping leaves free")
    right.legend()


def comparison():
    """Compare by width, depth, activation and problem, at initialization."""
    _, axes = plt.subplots(2, 2, figsize=(10, 7.5), layout="constrained")
    families = {
        "width": {str(w): (HEAT, sl.MLP(2, w, 2)) for w in (8, 16, 32, 64)},
        "depth": {str(d): (HEAT, sl.MLP(2, 24, d)) for d in (1, 2, 3, 4)},
        "activation": {a: (HEAT, sl.MLP(2, 32, 2, activation=a)) for a in sl.ACTIVATIONS},
        "problem": {n: (p := sl.PROBLEMS[n](), p.network(32, 2, "tanh")) for n in FIRST},
    }
    for ax, (title, family) in zip(axes.ravel(), families.items(), strict=True):
        sl.plot_spectrum({name: sl.spectrum(*one, points=600) for name, one in family.items()}, ax=ax)
        ax.set(title=f"By {title}", xlim=(0, 300))
        ax.legend(fontsize=8)


def conditions():
    """Draw the spectrum of each condition's own part of G, and shares of the whole one."""
    _, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    sl.plot_spectrum(sl.condition_spectra(HEAT, NETWORK, points=POINTS), ax=left).set(
        xlim=(0, 200), title="Each condition by itself"
    )
    left.legend(fontsize=8)
    sl.plot_shares(sl.spectrum(HEAT, NETWORK, points=POINTS, rank=150), ax=right)


def near_optimality():
    """Compare sketches of a trained network with the best."""
    small = sl.MLP(2, 16, 2)
    matrix = sl.jacobian(HEAT, small, trained(small, rank=150, points=500).theta, points=500)
    _draw_experiment(sl.near_optimality(matrix, 40, key=jax.random.key(0)), "Heat equation, P = 337, N = 500")


def near_optimality_hard():
    """Take a step and nothing but a flat tail, and eigenvectors along coordinates: what is hard for a sketch."""
    singular_values = np.concatenate([np.ones(20), np.full(280, 0.03)])
    left = np.linalg.qr(np.random.default_rng(0).standard_normal((400, 300)))[0]
    matrix = sl.from_matrix(jnp.asarray(left * singular_values))
    _draw_experiment(
        sl.near_optimality(matrix, 20, key=jax.random.key(0)), "Step of 20, flat beyond, eigenvectors along coordinates"
    )


def eigenfunctions():
    """Show what the top directions do, and what the tail does."""
    theta = trained().theta
    found = sl.spectrum(HEAT, NETWORK, theta, points=POINTS)
    sl.plot_eigenfunctions(HEAT, NETWORK, theta, found, indices=(1, 2, 3, 10, 50, 150))


def decay_bound():
    """Draw the theorem over the measurement, for u and for -u''."""
    domain, network = sl.Box([0.0], [1.0]), sl.MLP(1, 16, 1)
    generator = np.random.default_rng(0)
    theta = generator.standard_normal(network.size)
    theta[:3] *= 12
    operators = {
        "u": (lambda u, x: u(x), (1.0, 0.0, 0.0)),
        "−u''": (lambda u, x: -sl.laplacian(u)(x), (0.0, 0.0, -1.0)),
    }
    _, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for ax, (name, (residual, coefficients)) in zip(axes, operators.items(), strict=True):
        problem = sl.Problem(name, domain, [sl.interior(residual)])
        bound = sl.decay_bound(network, theta, domain, coefficients=coefficients, count=48)
        sl.plot_decay_bound(bound, sl.spectrum(problem, network, theta, points=400), ax=ax).set(
            title=f"Tangent functions of {name}"
        )
        ax.legend(fontsize=8)


def memory():
    """Draw the memory of each way to a spectrum against the width of the network, by the compiler's account."""
    networks = [sl.MLP(2, width, 2) for width in (8, 16, 32, 64, 128, 256, 512, 1024)]
    taken = {"G itself": [8 * network.size**2 for network in networks]}
    taken["full, N = 1,100"] = [sl.spectrum_bytes(HEAT, network, points=POINTS) for network in networks]
    rank = 50
    for route in sl.ROUTES:
        taken[f"{route}, rank {rank}"] = [
            sl.spectrum_bytes(HEAT, network, points=POINTS, rank=rank, route=route) for network in networks
        ]
    sl.plot_memory([network.size for network in networks], taken, at_hand=sl.memory_at_hand())


def equations():
    """Solve every problem by its recipe, in a minute of steps at most, and draw what was found."""
    columns, problems = 4, {name: make() for name, make in sl.PROBLEMS.items()}
    rows = -(-len(problems) // columns)
    _, axes = plt.subplots(rows, columns, figsize=(3.1 * columns, 2.5 * rows), layout="constrained")
    for ax in axes.flat:
        ax.axis("off")
    for ax, (name, problem) in zip(axes.flat, problems.items(), strict=False):
        run = sl.solve(problem, seconds=60 / problem.recipe.slabs, progress=False)
        ax.axis("on")
        sl.plot_solution(run, ax=ax)
        error, _ = solution_errors(sl.Setup(problem, run.network, 100))(jnp.asarray(run.theta))
        ax.set_title(f"{name}, error {error:.0e}", fontsize=9)
        if ax.get_legend():
            ax.get_legend().remove()
        print(f"  {name} {error:.1e}", flush=True)
        jax.clear_caches()


def _draw_experiment(result, title):
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    for ax, norm in zip(axes, ("spectral", "frobenius"), strict=True):
        sl.plot_near_optimality(result, norm=norm, ax=ax).set(title=f"{norm.capitalize()} norm")
    for ax in axes:
        ax.get_legend().remove()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=9)
    figure.suptitle(f"{title}: 20 sketches each, rank {result.rank}")


FIGURES = {
    figure.__name__: figure
    for figure in (
        spectrum,
        precision,
        spectrum_history,
        training,
        comparison,
        conditions,
        near_optimality,
        near_optimality_hard,
        eigenfunctions,
        decay_bound,
        memory,
        equations,
    )
}


def main() -> None:
    """Draw the figures named on the command line, or all."""
    FOLDER.mkdir(exist_ok=True)
    for name in sys.argv[1:] or FIGURES:
        if name not in FIGURES:
            sys.exit(f"unknown figure {name!r}. Known: {', '.join(FIGURES)}.")
        print(name, flush=True)
        FIGURES[name]()
        plt.savefig(FOLDER / f"{name}.png", dpi=110)
        plt.close("all")


if __name__ == "__main__":
    main()
