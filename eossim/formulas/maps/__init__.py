"""NumPy functions and compiled iterations of the shipped maps, written by ``python -m derivations``; do not edit."""
