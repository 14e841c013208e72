"""Checks of notebook 03, the spectrum of the Gramian."""

import numpy as np

from sketchlab.exercises.checking import Wrong, as_numbers, close, exercise, need


@exercise
def check_03_effective_dimension(answer):
    """Check Σ λ / (λ + μ) for spectra that decay, that are flat, and for dampings above, within and below them."""
    generator = np.random.default_rng(31)
    cases = [
        (np.array([4.0, 1.0, 0.25]), 1.0),
        (np.full(7, 3.0), 0.5),
        (10.0 ** -np.linspace(0, 12, 25), 1e-5),
        (np.sort(generator.uniform(0, 5, 40))[::-1], 20.0),
    ]
    for eigenvalues, damping in cases:
        value = as_numbers(answer(eigenvalues, damping), (), "the effective dimension")
        ratios = eigenvalues / (eigenvalues + damping)
        expected = np.sum(ratios)
        if close(value, expected):
            continue
        size = len(eigenvalues)
        need(
            not close(value, np.sum(eigenvalues > damping)),
            "Your function counts the eigenvalues above the damping.",
            "Each direction counts as a fraction here, near 1 far above the damping and near 0 far below it.",
        )
        need(
            not close(value, size - expected),
            "Your function adds up the other parts, those that the damping takes away.",
            "As the damping goes to 0 every direction must count fully.",
        )
        need(
            not close(value, np.mean(ratios)),
            "Your function returns an average.",
            "With almost no damping the result is the number of eigenvalues, not 1.",
        )
        squares = eigenvalues**2
        need(
            not close(value, np.sum(squares / (squares + damping)))
            and not close(value, np.sum(squares / (squares + damping**2))),
            "Your function squares the eigenvalues.",
            "They are squares of singular values already.",
        )
        need(
            not close(value, np.sum(eigenvalues) / (np.sum(eigenvalues) + damping)),
            "Your function adds up the eigenvalues before it divides.",
            "Each eigenvalue gets a fraction of its own; the sum comes last.",
        )
        raise Wrong(
            f"For {size} eigenvalues and damping {damping:g} your result differs from Σ λ / (λ + μ).",
            "Work it out on paper for the eigenvalues 4, 1, 0.25 and μ = 1.",
        )


@exercise
def check_03_above_the_floor(answer):
    """Check counts above ε² λ₁ and ε λ₁, for both precisions and for largest singular values other than 1."""
    cases = [
        (scale * 10.0 ** -np.linspace(0, decades, size), float(np.finfo(dtype).eps), squared)
        for scale, decades, size, dtype in [
            (1.0, 20.0, 61, np.float64),
            (300.0, 18.0, 100, np.float64),
            (0.02, 12.0, 37, np.float32),
            (50.0, 3.0, 12, np.float64),
        ]
        for squared in (False, True)
    ]
    for s, epsilon, squared in cases:
        value = as_numbers(answer(s, epsilon, squared), (), "the number of eigenvalues")
        floor = (epsilon if squared else epsilon**2) * s[0] ** 2
        expected = np.sum(s**2 > floor)
        if value == expected:
            continue
        need(
            value != np.sum(s**2 > (epsilon**2 if squared else epsilon) * s[0] ** 2),
            "Your function has the two floors the wrong way round.",
            "Which way of computing loses more: by the singular values of J, or by way of JᵀJ?",
        )
        need(
            value != np.sum(s**2 > (epsilon if squared else epsilon**2)),
            "Your function uses a floor that does not know how large the spectrum is.",
            "Rounding errors grow with the matrix: the floor is relative to the largest eigenvalue.",
        )
        need(
            value != len(s) - expected,
            "Your function counts the eigenvalues below the floor.",
            "Asked for are those that can be trusted.",
        )
        need(
            value not in (np.sum(s > floor), np.sum(s > floor / s[0])),
            "Your function compares singular values with a floor for eigenvalues.",
            "Turn the singular values into eigenvalues first.",
        )
        raise Wrong(
            f"For {len(s)} singular values from {s[0]:g} down to {s[-1]:.0e}, squared = {squared}, your count is {value:g}.",
            "Compare every eigenvalue sᵢ² with the floor, and add up how many are above it.",
        )


@exercise
def check_03_decay_rate(answer):
    """Check the fit of c e^(-a i) to eigenvalues that scatter about the law."""
    generator = np.random.default_rng(33)
    for size, rate, constant, noise in [(20, 0.7, 5.0, 0.3), (45, 1.3, 0.02, 0.8), (12, 0.1, 300.0, 0.5)]:
        index = np.arange(1, size + 1)
        eigenvalues = constant * np.exp(-rate * index + noise * generator.standard_normal(size))
        a, c = as_numbers(answer(eigenvalues), (2,), "the pair (a, c)")
        slope, intercept = np.polyfit(index, np.log(eigenvalues), 1)
        best_a, best_c = -slope, np.exp(intercept)
        if close(a, best_a, 1e-6) and close(c, best_c, 1e-6):
            continue
        need(
            not (close(a, best_c, 1e-6) and close(c, best_a, 1e-6)),
            "Your function returns the right numbers in the wrong order.",
            "First the rate, then the constant.",
        )
        need(not close(a, -best_a, 1e-6), "Your rate has the wrong sign.", "The law is e^(−a i): a falling curve has a > 0.")
        need(
            not close(a, best_a / np.log(10), 1e-6),
            "Your function takes the logarithm to base 10.",
            "The law is written with e, so the natural logarithm turns it into a line.",
        )
        need(
            not close(a, best_a / 2, 1e-6),
            "Your rate is that of the singular values, half of the right one.",
            "The law is fitted to the eigenvalues themselves.",
        )
        ends = np.log(eigenvalues[0] / eigenvalues[-1]) / (size - 1)
        need(
            not close(a, ends, 1e-6),
            "Your rate comes from the first and the last eigenvalue alone.",
            "Least squares uses all of them: fit a line to all points (i, log λᵢ).",
        )
        need(
            not (close(a, best_a, 1e-6) and close(c, intercept, 1e-6)),
            "Your constant is still a logarithm.",
            "The line's height at i = 0 is log c.",
        )
        need(
            not (close(a, best_a, 1e-6) and close(c, eigenvalues.max(), 1e-6)),
            "Your constant is the largest eigenvalue.",
            "The constant belongs to the fitted line, its value at i = 0.",
        )
        need(
            not (close(a, best_a, 1e-6) and close(c, best_c * np.exp(-best_a), 1e-6)),
            "Your index starts at 0.",
            "The largest eigenvalue is λ₁: its index is 1.",
        )
        raise Wrong(
            "For eigenvalues that scatter about the law your numbers are not those of least squares on the logarithm.",
            "Take the logarithm of λᵢ = c e^(−a i): which line in i is it? Fit that line, to all eigenvalues, without weights.",
        )


@exercise
def check_03_bernstein(answer):
    """Check |z + √(z² - 1)| > 1 in all four quadrants, on both axes and near the interval."""
    generator = np.random.default_rng(34)
    right = np.array([2.0 + 0j, 0.5j, 1.5 + 1.0j, 0.2 + 0.05j])
    spread = generator.uniform(-3, 3, 12) + 1j * generator.uniform(0.05, 3, 12)
    for z in (right, np.concatenate([right, -right, right.conj(), -right.conj()]), spread):
        value = answer(z)
        need(
            not np.issubdtype(getattr(value, "dtype", float), np.complexfloating),
            "Your function returns complex numbers.",
            "ρ is the size of a complex number: a real one.",
        )
        value = as_numbers(value, z.shape, "one ρ for each point")
        root = np.sqrt(z * z - 1)
        plus, minus = np.abs(z + root), np.abs(z - root)
        if close(value, np.maximum(plus, minus)):
            continue
        need(
            not close(value, np.minimum(plus, minus)),
            "Your function takes the smaller branch everywhere.",
            "An ellipse around the interval has ρ > 1.",
        )
        need(
            not (close(value, plus) or close(value, minus)),
            f"Your function is right for some points and below 1 for others, for instance at z = {z[value < 1][0]:.2g}."
            if np.any(value < 1)
            else "Your function takes the wrong branch of the root for some points.",
            "A square root has two signs, and which of them NumPy takes depends on z. The product of the two branches is 1.",
        )
        other = np.sqrt(z * z + 1)
        need(
            not close(value, np.maximum(np.abs(z + other), np.abs(z - other))) and not close(value, np.abs(z + other)),
            "Your root has the wrong sign inside: z² + 1.",
            "The foci are ±1: at z = 1 the root must vanish and ρ must be 1.",
        )
        need(
            not close(value, np.abs(z)),
            "Your function returns the distance from the origin.",
            "A Bernstein ellipse is no circle: |z| alone does not tell on which one z lies.",
        )
        need(
            not close(value, np.abs(z) + np.sqrt(np.abs(np.abs(z) ** 2 - 1))) and not close(value, np.abs(z) + np.abs(root)),
            "Your function takes absolute values too early.",
            "Add the two complex numbers first, and take the absolute value of their sum.",
        )
        raise Wrong(
            f"At z = {z[0]:.2g} your ρ is {value[0]:.6g}, and it differs from |z + √(z² − 1)| there or elsewhere.",
            "Check with a number you know: z = (ρ + 1/ρ)/2 is on the ellipse of ρ, so z = 1.25 has ρ = 2.",
        )
