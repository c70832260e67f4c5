"""Well-known networks, as the layers that an image, a clip, a sound or a text of theirs passes through.

Each is as its paper or its best-known implementation has it, which its docstring names.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from properties.networks.builder import Builder
from properties.networks.dense import DENSE
from properties.networks.generation import GENERATION
from properties.networks.recognition import RECOGNITION
from properties.networks.signals import SIGNALS
from properties.networks.timed import TIMED


def _by_name(*networks: Callable[[], Builder]) -> Mapping[str, Callable[[], Builder]]:
    return MappingProxyType({network.__name__: network for network in networks})


NETWORKS = _by_name(*TIMED)
"""Those that `bench` times."""
MORE = _by_name(*RECOGNITION, *DENSE, *GENERATION, *SIGNALS)
"""Those that have what these lack: what stands between convolutions, other ranks, losses."""
ALL = MappingProxyType({**NETWORKS, **MORE})

__all__ = ["ALL", "MORE", "NETWORKS", "Builder"]
