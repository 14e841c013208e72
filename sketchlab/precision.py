"""Matrix products as exact as the numbers in them."""

import functools

import jax


def in_full_precision(function):
    """Let all products of a function be in full precision, also those that it compiles or differentiates.

    By default a GPU multiplies float32 numbers with three digits (TF32), and a run ends at errors of 1e-3. Products of float64
    numbers, and those on a CPU, are in full precision anyway.
    """

    @functools.wraps(function)
    def precise(*arguments, **options):
        with jax.default_matmul_precision("highest"):
            return function(*arguments, **options)

    return precise
