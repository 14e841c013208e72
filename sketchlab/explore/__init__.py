"""Explorers: widgets in which a hand on a control makes the mathematics answer. They need the extra ``sketchlab[lab]``."""

from sketchlab.explore.still import show
from sketchlab.explore.training import TrainingExplorer

__all__ = ["TrainingExplorer", "show"]
