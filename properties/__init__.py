"""Which inputs exist: cases of every operator, valid and invalid; and which laws hold of what it makes of them."""

from properties.arrays import CONTENTS, LAYOUTS, content, lay_out
from properties.case import Case
from properties.fields import FieldsError, from_fields, to_fields
from properties.filling import refilled
from properties.invalid import InvalidCase, contradiction, contradictory_cases, invalid_cases
from properties.laws import LAWS, Law
from properties.special import SPECIALS, with_special
from properties.strategies import cases

__all__ = [
    "CONTENTS",
    "LAWS",
    "LAYOUTS",
    "SPECIALS",
    "Case",
    "FieldsError",
    "InvalidCase",
    "Law",
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
