"""Benchmarks of the package, beside other libraries and a raw socket: ``cargo xtask bench python``."""
