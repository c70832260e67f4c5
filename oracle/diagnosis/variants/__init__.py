"""The mistakes that people make: one module for each layer, named as it is, and what several of them share."""
