"""How often intervals of 95 % hold the true constants: ``python -m benchmarks.coverage`` prints the table of docs/inverse.md.

A rod cools from an unknown first temperature; 60 scattered measurements have noise of σ = 0.01. The noise is drawn 50 times, and
each time training starts from the solution without noise. Two cases: the diffusivity is unknown, or the temperature of the left
end too.
"""

import warnings

import jax
import jax.numpy as jnp
import numpy as np

import sketchlab as sl

DRAWS, STEPS, SIGMA = 50, 30, 0.01
TRUE = {"diffusivity": 0.25, "wall": 0.3}
WHERE = np.random.default_rng(3).random((60, 2))


def solution(points: np.ndarray, wall: float) -> np.ndarray:
    """Evaluate the true temperature at points (n, 2): (n,)."""
    x, t = points.T
    return wall * (1 - x) + np.exp(-TRUE["diffusivity"] * np.pi**2 * t) * np.sin(np.pi * x)


def rod(values: np.ndarray, wall: bool) -> sl.Problem:
    """Make the problem of measured values (60,)."""

    def heat(u, x):
        return sl.partial(u, 1)(x) - u.diffusivity * sl.laplacian(u, axes=[0])(x)

    def left(u, x):
        return u(x) - u.wall if wall else u(x)

    conditions = [
        sl.interior(heat),
        sl.data(WHERE, values, sigma=SIGMA),
        sl.face(axis=0, side="lower", residual=left, weight=10.0),
        sl.face(axis=0, side="upper", residual=lambda u, x: u(x), weight=10.0),
    ]
    return sl.Problem("rod", sl.Box([0.0, 0.0], [1.0, 1.0]), conditions, axes=("x", "t"))


def measure(wall: bool) -> list[dict]:
    """Return for each constant its truth, the estimates, their standard errors, and how many intervals hold."""
    exact = solution(WHERE, TRUE["wall"] if wall else 0.0)
    names = ["diffusivity", "wall"] if wall else ["diffusivity"]
    first = {"diffusivity": 1.0, "wall": 0.0}
    network = sl.WithConstants(sl.MLP(2, 12, 1), positive=["diffusivity"], **{name: first[name] for name in names})
    clean = sl.train(rod(exact, wall), network, sl.natural_gradient(), points=300, steps=200, progress=False)
    trainer = sl.Trainer(rod(exact, wall), network, sl.natural_gradient(), points=300, theta=clean.theta)
    generator = np.random.default_rng(0)
    estimates, found, said = [], [], 0
    for _ in range(DRAWS):
        trainer.restart(0)
        # The values travel with the points: the compiled step is the same.
        noisy = rod(exact + SIGMA * generator.normal(size=60), wall).regions[1].rows
        trainer.points = (trainer.points[0], jnp.asarray(noisy), *trainer.points[2:])
        for _ in range(STEPS):
            trainer.step()
        run = trainer.run("steps")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found.append(sl.standard_errors(run))
        said += bool(caught)
        estimates.append(run.constants)
    deviations = [one.deviation for one in found]
    return [
        {
            "name": name,
            "estimates": np.array([one[name] for one in estimates]),
            "errors": np.array([one.errors[name] for one in found]),
            "held": sum(one.intervals[name][0] < TRUE[name] < one.intervals[name][1] for one in found),
            "deviation": np.mean(deviations),
            "warnings": said,
        }
        for name in names
    ]


def main():
    """Print the table."""
    jax.config.update("jax_enable_x64", True)
    heads = [
        "unknown",
        "constant",
        "truth",
        "mean",
        "scatter",
        "mean standard error",
        "intervals that hold",
        "deviation",
        "warnings",
    ]
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    for wall in (False, True):
        for row in measure(wall):
            estimates = row["estimates"]
            numbers = f"{np.mean(estimates):.4f} | {np.std(estimates, ddof=1):.4f} | {np.mean(row['errors']):.4f}"
            counts = f"{row['held']} of {DRAWS} | {row['deviation']:.2f} | {row['warnings']}"
            print(f"| {'two' if wall else 'one'} | {row['name']} | {TRUE[row['name']]} | {numbers} | {counts} |", flush=True)


if __name__ == "__main__":
    main()
