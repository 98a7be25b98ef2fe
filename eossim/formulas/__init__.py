"""Edges, kernels and derivations, written by ``python -m derivations``; do not edit."""
