"""Few cases: JAX compiles for each shape."""

from hypothesis import settings

settings.register_profile("few", max_examples=20, derandomize=True)
settings.load_profile("few")
