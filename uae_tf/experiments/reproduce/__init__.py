"""All tables of the papers from recipes: a plan, the runs, one report."""

from .recipe import SCALES, TABLES, Recipe, Run, load_recipe
from .reproduction import Reproduction

__all__ = ["SCALES", "TABLES", "Recipe", "Reproduction", "Run", "load_recipe"]
