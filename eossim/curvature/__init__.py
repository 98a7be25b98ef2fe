"""What curvature a step sees: directional smoothness, and the generalised sharpness of any norm."""
