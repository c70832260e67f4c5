"""Mistakes of another hand: what people write, honest but for one mistake, without the catalogue's helpers or names.

Each is an implementation with a name, too: ``refconv check bench.strangers:conv_forward_bias_lost_when_grouped``.
"""

from types import SimpleNamespace

from bench.strangers import convolutions, convolutions_back, elementwise, movers, norms, pools, products, states
from bench.strangers.stranger import Stranger, says

STRANGERS: tuple[Stranger, ...] = tuple(
    stranger
    for module in (convolutions, convolutions_back, pools, norms, elementwise, products, movers, states)
    for stranger in module.stranger.strangers
)
_BY_NAME = {stranger.identifier: stranger for stranger in STRANGERS}

__all__ = ["STRANGERS", "Stranger", "says"]


def __getattr__(name: str) -> SimpleNamespace:
    try:
        return _BY_NAME[name].subject()
    except KeyError:
        raise AttributeError(f"no stranger is called {name}") from None
