"""Benchmarks: `make bench`. Within a group the ratio to the fastest row is what carries over between machines."""
