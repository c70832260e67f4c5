"""Hypothesis profiles: in CI the same cases each time, with the blob that reproduces a failure."""

import os

from hypothesis import settings

settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("few", parent=settings.get_profile("ci"), max_examples=15)  # where loops aren't compiled
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if "CI" in os.environ else "default"))
