"""Which inputs exist: cases of every operator, valid and invalid."""

from properties.arrays import CONTENTS, LAYOUTS, content, lay_out
from properties.case import Case
from properties.fields import FieldsError, from_fields, to_fields
from properties.invalid import InvalidCase, invalid_cases
from properties.strategies import cases

__all__ = [
    "CONTENTS",
    "LAYOUTS",
    "Case",
    "FieldsError",
    "InvalidCase",
    "cases",
    "content",
    "from_fields",
    "invalid_cases",
    "lay_out",
    "to_fields",
]
