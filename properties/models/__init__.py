"""What the calls of each operator are like, as data: features, their classes, and how a call is made of them."""

from collections.abc import Mapping

from properties.models.convolutions import CONV
from properties.models.feature import Choices, Class, Feature, Model, Row
from properties.models.recipe import Recipe, drawn

MODELS: Mapping[str, Model] = {model.operator: model for model in (CONV,)}
"""The model of each operator."""

__all__ = ["MODELS", "Choices", "Class", "Feature", "Model", "Recipe", "Row", "drawn"]
