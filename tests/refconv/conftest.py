"""The two ways in which a correlation is computed."""

import pytest

from refconv import operators, using

CORRELATIONS = ("conv", "conv_transpose", "linear")
EXACT = (*CORRELATIONS, "locally_connected", "blur_pool")


def by_paths(names):
    """Pairs of an operator and a way to compute it: the default, and the fast path where there is one."""
    return [*((name, "auto") for name in names), *((name, "fast") for name in names if name in CORRELATIONS)]


@pytest.fixture(scope="module", params=by_paths(operators), ids="-".join)
def operator(request):
    """The name of an operator; each by its default path, which is the definition where arrays are small, and fast."""
    name, path = request.param
    with using(path):
        yield name


@pytest.fixture(scope="module", params=by_paths(EXACT), ids="-".join)
def exact_operator(request):
    """One all of whose results are exact on integers, and linear in each input."""
    name, path = request.param
    with using(path):
        yield name


@pytest.fixture(scope="module", params=["definition", "fast"])
def path(request):
    """A way to compute correlations, while the fixture is in use."""
    with using(request.param):
        yield request.param
