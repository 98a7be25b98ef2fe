"""The networks of the tests are small, and the tests run side by side: threads only wait for each other."""

import torch

torch.set_num_threads(1)
