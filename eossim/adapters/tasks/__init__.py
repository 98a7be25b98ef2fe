"""The three deep-learning tasks of the SAM-edge paper (arXiv:2309.12488): MLP, CNN and Transformer.

``python -m eossim.adapters.tasks mlp`` trains a reduced one in minutes, on data that ship, and prints the predicted
edge beside the measured sharpness; with ``--data`` it trains the full one on local files.
"""
