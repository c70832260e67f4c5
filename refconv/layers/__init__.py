"""The layers: one module for each, named as its function."""
