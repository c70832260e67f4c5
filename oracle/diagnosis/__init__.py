"""What is wrong: a catalogue of mistakes, and which of them an implementation's results fit."""

from oracle.diagnosis.catalogue import CATALOGUE
from oracle.diagnosis.matching import Diagnosis, diagnose, named
from oracle.diagnosis.variant import Variant

__all__ = ["CATALOGUE", "Diagnosis", "Variant", "diagnose", "named"]
