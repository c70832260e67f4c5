"""Frameworks seen as implementations: one module for each, imported only when it is asked for."""
