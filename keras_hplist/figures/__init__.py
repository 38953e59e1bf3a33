"""The paper's figures from measured data: one module each, `compute` a table, then `draw` it."""

from keras_hplist.figures import figure_1a, figure_1c
from keras_hplist.figures.saving import save

FIGURES = {"1a": figure_1a, "1c": figure_1c}
"""Module by the number of the figure in Metz et al. 2020 (arXiv 2002.11887)."""

__all__ = ["FIGURES", "figure_1a", "figure_1c", "save"]
