"""Long runs of networks: any method, crash-safe checkpoints, quantities tracked on the way."""

from .checkpoint import Checkpoint, load_checkpoint
from .moments import Moments, adam, rmsprop
from .train import train

__all__ = ["Checkpoint", "Moments", "adam", "load_checkpoint", "rmsprop", "train"]
