"""What is measured along a training: one room per kind of quantity, made by name in `eossim.training.trackers`."""
