"""Steps of the shipped rules, written by ``python -m derivations``; do not edit."""
