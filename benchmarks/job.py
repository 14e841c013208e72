"""One measurement in a process of its own, so that its peak memory is its own: ``python -m benchmarks.job JSON``."""

import json
import resource
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
from threadpoolctl import threadpool_limits

import sketchlab as sl
from benchmarks import records
from benchmarks.peers import PEERS, run_peer
from benchmarks.rows import MILESTONES, TARGETS
from sketchlab.orthogonal import orthonormalize
from sketchlab.reading import read_optimizer
from sketchlab.sketch import rayleigh_ritz


def race(row: str, optimizer: str, seeds, seconds=None, tolerance=None, training=None) -> dict:
    """Train one row on several seeds with one optimizer, written as text, or a peer."""
    target = TARGETS[row]
    problem, network, points = sl.PROBLEMS[target.problem](), target.network, target.points
    runs = []
    for seed in seeds:
        if optimizer in PEERS:
            run = run_peer(optimizer, problem, network, points, seed, seconds, tolerance)
            clock, errors = run["seconds"], run["errors"]
        else:
            run = sl.train(
                problem,
                network,
                read_optimizer(optimizer),
                steps=target.steps if seconds is None else 10**6,
                points=points,
                seed=seed,
                seconds=seconds,
                tolerance=tolerance,
                progress=False,
                **_training(training or {}),
            )
            clock, errors = run.history.seconds, run.history.relative_error
        runs.append(
            {
                "seed": seed,
                "steps": len(errors),
                "seconds": float(clock[-1]),
                "error": float(errors[-1]),
                "lowest": float(np.min(errors)),
                "reached": {f"{milestone:g}": _first(clock, errors, milestone) for milestone in (*MILESTONES, target.error)},
            }
        )
    return {"runs": runs}


def steps_of(width: int, depth: int, points: int, rank: int, steps: int, block=None) -> dict:
    """Time single steps of the sketched natural gradient on the heat equation."""
    problem, network = sl.PROBLEMS["heat_1d"](), sl.MLP(2, width, depth)
    trainer = sl.Trainer(problem, network, sl.sketched_natural_gradient(rank), points=points, block=block)
    records = [trainer.step() for _ in range(steps)]
    times = np.diff([record.seconds for record in records])
    return {
        "parameters": network.size,
        "points": points,
        "rank": rank,
        "block": trainer.least_squares.block,
        "step_seconds": float(np.median(times)),
        "errors": [record.relative_error for record in records],
        "compile_seconds": trainer.compile_seconds,
    }


def profile(width: int, points: int, rank: int, repeats: int = 9) -> dict:
    """Time the parts of a step, in turns, and the floor: the two products at the speed of this process."""
    problem, network = sl.PROBLEMS["heat_1d"](), sl.MLP(2, width, 2)
    trainer = sl.Trainer(problem, network, sl.sketched_natural_gradient(rank), points=points)
    for _ in range(3):
        trainer.step()
    least_squares, theta, x, state = trainer.least_squares, trainer.theta, trainer.points, trainer.state
    key = jax.random.key(0)

    def search(theta, residual, spectrum):
        return sl.damping_path().step(
            lambda d: least_squares.residual(theta + d, x),
            jnp.sum(residual**2) / 2, spectrum, residual, jnp.zeros_like(theta), state.search,
        )  # fmt: skip

    jacobian = least_squares.jacobian(theta, x)
    test_matrix = state.decomposition
    image = jacobian.T @ test_matrix
    basis, _ = orthonormalize(image, key=key)
    projected = jacobian @ basis
    spectrum = rayleigh_ritz(sl.from_matrix(jacobian), basis)
    tall, small = jnp.linalg.qr(projected)
    parts = {
        "Jacobian": (lambda t: least_squares.column_blocks(t, x), (theta,)),
        "range finder JᵀZ": (lambda j, z: j.T @ z, (jacobian, test_matrix)),
        "orthonormalization, QR of JᵀZ": (jnp.linalg.qr, (image,)),
        "projection JQ": (lambda j, q: j @ q, (jacobian, basis)),
        "QR and SVD of JQ": (lambda b, s: (jnp.linalg.qr(b), jnp.linalg.svd(s)), (projected, small)),
        "rotation to U and V": (lambda a, b, s: (a @ s, b @ s), (tall, basis, small)),
        "probes": (search, (theta, least_squares.residual(theta, x), spectrum)),
        "whole step": (lambda t, s, k: trainer.optimizer.step(least_squares, t, s, x, key=k), (theta, state, key)),
    }
    compiled = {name: jax.jit(f).lower(*inputs).compile() for name, (f, inputs) in parts.items()}
    times = {name: [] for name in parts}
    with threadpool_limits(1, user_api="blas"):
        for _ in range(repeats):
            for name, (_, inputs) in parts.items():
                start = time.perf_counter()
                jax.block_until_ready(compiled[name](*inputs))
                times[name].append(time.perf_counter() - start)
    medians = {name: float(np.median(values)) for name, values in times.items()}
    floor = medians["range finder JᵀZ"] + medians["projection JQ"]
    return {
        "parameters": network.size,
        "points": points,
        "rank": rank,
        "parts": medians,
        "floor": floor,
        "gflops": 4 * points * network.size * rank / floor / 1e9,
    }


def spectra(width: int, depth: int, points: int, rank: int, ways, repeats: int) -> dict:
    """Time `sl.spectrum` by several ways in turns: "full", or an entry of `sl.ROUTES`."""
    problem, network = sl.PROBLEMS["heat_1d"](), sl.MLP(2, width, depth)
    times = {way: [] for way in ways}
    # The first round compiles.
    for _ in range(repeats + 1):
        for way in ways:
            start = time.perf_counter()
            sl.spectrum(problem, network, points=points, **({} if way == "full" else {"rank": rank, "route": way}))
            times[way].append(time.perf_counter() - start)
    return {
        "parameters": network.size,
        "points": points,
        "rank": rank,
        "seconds": {way: float(np.median(values[1:])) for way, values in times.items()},
    }


def test_matrices(size: int, columns: int, rows: int, repeats: int = 5) -> dict:
    """Time drawing each test matrix, and one product with a matrix (rows, size)."""
    matrix = jax.random.normal(jax.random.key(0), (rows, size))
    multiply = jax.jit(jnp.matmul)
    seconds = {}
    for name, draw in sl.SKETCHES.items():
        drawing = jax.jit(lambda key, draw=draw: draw(columns, size, key=key))
        seconds[name] = _median(lambda drawing=drawing: drawing(jax.random.key(1)), repeats)
    test_matrix = jax.block_until_ready(drawing(jax.random.key(0)))
    transform = jax.jit(lambda a: jax.scipy.fft.dct(a, axis=1, norm="ortho"))
    return {
        "size": size,
        "columns": columns,
        "rows": rows,
        "drawing": seconds,
        "product": _median(lambda: multiply(matrix, test_matrix), repeats),
        "transform": _median(lambda: transform(matrix), repeats),
    }


def _median(compute, repeats):
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        jax.block_until_ready(compute())
        times.append(time.perf_counter() - start)
    return float(np.median(times[1:]))


def _training(options):
    resampling = options.get("resampling")
    return options | ({"resampling": sl.RESAMPLINGS[resampling[0]](*resampling[1:])} if resampling else {})


def _first(clock, errors, milestone):
    hits = np.flatnonzero(np.asarray(errors) <= milestone)
    return float(clock[hits[0]]) if len(hits) else None


def main() -> None:
    """Run the job that the command line describes and print its result as JSON."""
    jax.config.update("jax_enable_x64", True)
    job = json.loads(sys.argv[1])
    jobs = {"race": race, "steps": steps_of, "profile": profile, "spectra": spectra, "test_matrices": test_matrices}
    jobs |= {
        "solve": records.solve,
        "chebyshev": records.chebyshev_helmholtz,
        "fourier": records.fourier,
        "galerkin": records.galerkin,
    }
    result = jobs[job.pop("job")](**job)
    # Linux counts in KiB.
    result["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(result))


if __name__ == "__main__":
    main()
