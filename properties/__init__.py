"""Which inputs exist: cases of every operator, valid and invalid."""

from properties.arrays import CONTENTS, LAYOUTS, content, lay_out
from properties.case import Case
from properties.invalid import InvalidCase, invalid_cases
from properties.strategies import cases

__all__ = ["CONTENTS", "LAYOUTS", "Case", "InvalidCase", "cases", "content", "invalid_cases", "lay_out"]
