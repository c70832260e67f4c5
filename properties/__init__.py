"""Which inputs exist: cases of every operator, valid and invalid."""

from properties.arrays import CONTENTS, LAYOUTS, content, lay_out
from properties.case import Case
from properties.fields import FieldsError, from_fields, to_fields
from properties.filling import refilled
from properties.invalid import InvalidCase, contradiction, contradictory_cases, invalid_cases
from properties.special import SPECIALS, with_special
from properties.strategies import cases

__all__ = [
    "CONTENTS",
    "LAYOUTS",
    "SPECIALS",
    "Case",
    "FieldsError",
    "InvalidCase",
    "cases",
    "content",
    "contradiction",
    "contradictory_cases",
    "from_fields",
    "invalid_cases",
    "lay_out",
    "refilled",
    "to_fields",
    "with_special",
]
