"""How fast an implementation is, beside its peers: the benchmarks run with pytest."""
