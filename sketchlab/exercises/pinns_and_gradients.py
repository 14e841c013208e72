"""Checks of notebook 01: an equation's residual, the loss, and what gradient descent leaves over."""

import jax.numpy as jnp
import numpy as np

from sketchlab.exercises.checking import as_numbers, close, exercise, need, need_none

#: Functions u of one point x (1,), with u and u″ at a number t. None of them solves the equation.
KNOWN = {
    "sin 3x": (lambda x: jnp.sin(3 * x[0]), lambda t: np.sin(3 * t), lambda t: -9 * np.sin(3 * t)),
    "e^(2x)": (lambda x: jnp.exp(2 * x[0]), lambda t: np.exp(2 * t), lambda t: 4 * np.exp(2 * t)),
    "x⁴ − 2x": (lambda x: x[0] ** 4 - 2 * x[0], lambda t: t**4 - 2 * t, lambda t: 12 * t**2),
}
#: Where they are tried. Answers in 32-bit numbers pass too.
PLACES, TOLERANCE = (0.15, 0.5, 0.85), 1e-5


@exercise
def check_01_residual(answer):
    """Try residual(u, x) of −u″ + u = x on functions that are known."""
    t = np.array(PLACES)
    for name, (u, value, second) in KNOWN.items():
        found = [answer(u, jnp.array([place])) for place in PLACES]
        need(
            all(getattr(one, "shape", ()) != (1,) for one in found),
            "Your function returns an array with one entry, not a number.",
            "A point x is an array of shape (1,), also in one dimension: which entry is the coordinate?",
        )
        found = np.stack([as_numbers(one, (), "the residual at the point x") for one in found])
        u, bend = value(t), second(t)
        right = -bend + u - t
        mistakes = [
            (bend + u - t, "the second derivative has the wrong sign", "Compare the sign of u″ with the equation."),
            (-bend - t, "the term u is missing", "u″ is not the only one with u in the equation."),
            (-bend + u, "the right-hand side is missing", "A residual is zero for the solution: bring everything to one side."),
            (-bend + u + t, "the right-hand side has the wrong sign", "Left-hand side minus right-hand side."),
            (right**2, "it is the square of the residual", "Squares come later, in the loss."),
            (-right, "all signs are turned round", "Same loss, but asked is left-hand side minus right."),
        ]  # fmt: skip
        need_none(found, right, mistakes, f"For u = {name}", TOLERANCE)
        need(
            close(found, right, TOLERANCE),
            f"For u = {name} at x = {PLACES[0]} your residual is {found[0]:.6g}; it differs from −u″ + u − x.",
            "Write the three terms one by one; sl.laplacian(u)(x) is u″ at the point x. Try it on this u on paper.",
        )


@exercise
def check_01_loss(answer):
    """Try loss(residuals, weights, measures) on one, two and three conditions of different length."""
    random = np.random.default_rng(1)
    for counts in ((5,), (7, 3), (40, 2, 9)):
        points = ", ".join(map(str, counts))
        residuals = [random.normal(size=count) for count in counts]
        weights, measures = random.uniform(2, 12, len(counts)), random.uniform(0.2, 0.8, len(counts))
        found = as_numbers(answer(residuals, list(weights), list(measures)), (), "the loss")

        def total(terms):
            return sum(terms) / 2

        squares = [np.sum(r**2) for r in residuals]
        pairs = list(zip(residuals, weights, measures, strict=True))
        right = total(w * m * np.mean(r**2) for r, w, m in pairs)
        mistakes = [
            (2 * right, "the factor ½ is missing", "L = ½‖r‖²."),
            (np.sqrt(2 * right), "it is ‖r‖, the length", "The loss is half the square of it."),
            (total(w * m * s for s, w, m in zip(squares, weights, measures, strict=True)),
             "the number of points is missing", "A row carries 1/n_c below the root, so that more points make no larger loss."),
            (total(w * m * s / sum(counts) for s, w, m in zip(squares, weights, measures, strict=True)),
             "all conditions are divided by the same number of points", "n_c counts the points of condition c alone."),
            (total((w * m / len(r)) ** 2 * np.sum(r**2) for r, w, m in pairs),
             "the factor of a row is squared once too often", "A row carries the square root of weight · measure / n."),
            (total(np.sqrt(w * m / len(r)) * np.sum(r**2) for r, w, m in pairs),
             "the square root of the factor stands where the factor belongs", "Scale a row first, then square it."),
            (total(w * np.mean(r**2) for r, w, m in pairs),
             "the measures are missing", "A mean becomes an integral when it is multiplied by the measure of its region."),
            (total(m * np.mean(r**2) for r, w, m in pairs),
             "the weights are missing", "Each condition counts as much as its weight says."),
            (total(w * m * np.mean(r) ** 2 for r, w, m in pairs),
             "residuals are averaged before they are squared", "Positive and negative ones must not cancel: square first."),
            (total(w * m * np.mean(np.abs(r)) for r, w, m in pairs),
             "absolute values stand in place of squares", "‖r‖² is a sum of squares."),
        ]  # fmt: skip
        need_none(found, right, mistakes, f"For n_c = {points}", TOLERANCE)
        need(
            close(found, right, TOLERANCE),
            f"For n_c = {points} your loss differs: {float(found):.6g}.",
            "Compare with one row on paper: what does one residual of condition c add to the loss?",
        )


@exercise
def check_01_left_over(answer):
    """Try left_over(eigenvalues, steps) on spectra of several lengths."""
    random = np.random.default_rng(2)
    for count, steps in ((3, 2), (4, 1), (6, 7), (5, 0)):
        eigenvalues = np.sort(random.uniform(0.2, 5.0, count))[::-1].copy()
        found = as_numbers(answer(eigenvalues, steps), (count,), "the factors")
        ratio = eigenvalues / eigenvalues[0]
        right = (1 - ratio) ** steps
        mistakes = [
            (ratio**steps, "λᵢ/λ₁ itself is taken for the factor", "A step takes this part away: what does it leave?"),
            ((1 - eigenvalues) ** steps, "λᵢ is not divided by λ₁", "The step length is 1/λ₁, not 1."),
            ((1 - eigenvalues / eigenvalues[-1]) ** steps, "λᵢ is divided by the smallest eigenvalue", "Which one is λ₁?"),
            ((1 - eigenvalues / np.sum(eigenvalues)) ** steps, "λᵢ is divided by the sum of all", "The step length is 1/λ₁."),
            ((1 + ratio) ** steps, "the error grows", "Gradient descent goes against the gradient: mind the sign."),
            ((1 - ratio) ** (2 * steps), "the factor is squared", "It is left of the loss; asked is the error."),
            (1 - ratio, "only one step is taken", "Every step multiplies by the factor again."),
            (1 - steps * ratio, "steps are added up", "A step takes from what is left, not of what was there at first."),
            (1 - right, "it is the part that is gone", "Asked is the part that is left."),
            (np.exp(-steps * ratio), "an exponential stands for the power", "Near, but λ₁ itself is done after one step."),
        ]  # fmt: skip
        need_none(found, right, mistakes, f"For {count} eigenvalues and steps = {steps}", TOLERANCE)
        need(
            close(found, right, TOLERANCE),
            f"For {count} eigenvalues and steps = {steps} the factors differ.",
            "Write down what one step does to the error along one eigenvector. Then take n of them.",
        )
