"""How a problem is run: NumPy reference, fused diagonal and dense kernels, blocks of runs on threads."""
