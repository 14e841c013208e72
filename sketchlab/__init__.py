"""Natural gradients for physics-informed neural networks, full and sketched.

A problem says what must vanish and where; a network is an ansatz for the solution; an optimizer closes the gap. The
Gramian of the network's tangent functions decides how hard that is, and its spectrum can be looked at.
"""

import importlib

from sketchlab.calculus import divergence, gradient, laplacian, partial
from sketchlab.decay import DecayBound, decay_bound
from sketchlab.decompositions import DECOMPOSITIONS, Decomposition, dual, exact, from_range_finder, growing, sketched
from sketchlab.domains import BOUNDARY, INTERIOR, SAMPLERS, Box, Domain, Face, Region
from sketchlab.equations import PROBLEMS
from sketchlab.gramian import Gramian, Spectrum, full_spectrum, kernel_spectrum
from sketchlab.history import STOP_REASONS, History, Run, TrainingWarning
from sketchlab.jacobians import Jacobian, RowBlocks, from_matrix
from sketchlab.laws import Decay, fit_decay
from sketchlab.memory import memory_at_hand
from sketchlab.networks import ACTIVATIONS, MLP, NETWORKS
from sketchlab.optimality import NearOptimality, halko_bounds, near_optimality
from sketchlab.optimizers import (
    OPTIMIZERS,
    Optimizer,
    StepInfo,
    adam,
    dual_natural_gradient,
    gradient_descent,
    lbfgs,
    natural_gradient,
    sketched_natural_gradient,
)
from sketchlab.problems import Condition, Problem, boundary, face, interior
from sketchlab.random_matrices import SKETCHES
from sketchlab.resampling import RESAMPLINGS, Resampling, redraw, residual_adaptive
from sketchlab.residuals import LeastSquares
from sketchlab.routes import ROUTES, sketched_spectrum
from sketchlab.searches import SEARCHES, Move, Search, damping_path, step_grid
from sketchlab.setup import Setup
from sketchlab.sketch import NestedSketch, co_range_finder, nested_sketch, range_finder, rayleigh_ritz
from sketchlab.spectra import Survey, condition_spectra, jacobian, spectrum, spectrum_bytes, survey
from sketchlab.storage import load, save
from sketchlab.tangents import tangent_functions
from sketchlab.trainer import Trainer
from sketchlab.training import resume, train, train_seeds
from sketchlab.validation import InputError
from sketchlab.wrappers import Fourier, Hard, Periodic, WithConstants, from_pytree

__version__ = "0.1.0"

_PLOTS = (
    "plot_convergence",
    "plot_decay_bound",
    "plot_eigenfunctions",
    "plot_error",
    "plot_memory",
    "plot_near_optimality",
    "plot_shares",
    "plot_solution",
    "plot_spectrum",
    "plot_spectrum_history",
)

__all__ = [
    *_PLOTS,
    "ACTIVATIONS",
    "BOUNDARY",
    "DECOMPOSITIONS",
    "INTERIOR",
    "MLP",
    "NETWORKS",
    "OPTIMIZERS",
    "PROBLEMS",
    "RESAMPLINGS",
    "ROUTES",
    "RowBlocks",
    "SAMPLERS",
    "SEARCHES",
    "SKETCHES",
    "STOP_REASONS",
    "Box",
    "Condition",
    "Decay",
    "DecayBound",
    "Decomposition",
    "Domain",
    "Face",
    "Fourier",
    "Gramian",
    "Hard",
    "History",
    "InputError",
    "Jacobian",
    "LeastSquares",
    "Move",
    "NearOptimality",
    "NestedSketch",
    "Optimizer",
    "Periodic",
    "Problem",
    "Region",
    "Resampling",
    "Run",
    "Search",
    "Setup",
    "Spectrum",
    "StepInfo",
    "Survey",
    "Trainer",
    "TrainingWarning",
    "WithConstants",
    "adam",
    "boundary",
    "co_range_finder",
    "condition_spectra",
    "damping_path",
    "decay_bound",
    "divergence",
    "dual",
    "dual_natural_gradient",
    "exact",
    "face",
    "fit_decay",
    "from_matrix",
    "from_pytree",
    "from_range_finder",
    "full_spectrum",
    "gradient",
    "gradient_descent",
    "growing",
    "halko_bounds",
    "interior",
    "jacobian",
    "kernel_spectrum",
    "laplacian",
    "lbfgs",
    "load",
    "memory_at_hand",
    "natural_gradient",
    "near_optimality",
    "nested_sketch",
    "partial",
    "range_finder",
    "rayleigh_ritz",
    "redraw",
    "residual_adaptive",
    "resume",
    "save",
    "sketched",
    "sketched_natural_gradient",
    "sketched_spectrum",
    "spectrum",
    "spectrum_bytes",
    "step_grid",
    "survey",
    "tangent_functions",
    "train",
    "train_seeds",
]


def __getattr__(name):
    # Matplotlib is loaded by the first plot, and widgets by the first explorer, not by the first import.
    if name in ("exercises", "explore"):
        return importlib.import_module(f"sketchlab.{name}")
    if name in _PLOTS:
        from sketchlab import plots

        return getattr(plots, name)
    raise AttributeError(f"module 'sketchlab' has no attribute {name!r}")
