"""Checks find nothing that other tests have left in Hypothesis's database."""

import pytest


@pytest.fixture(autouse=True)
def _fresh(fresh_database):
    return fresh_database
