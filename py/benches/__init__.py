"""Benchmarks of the package, other libraries and a raw socket: ``cargo xtask bench python``."""
