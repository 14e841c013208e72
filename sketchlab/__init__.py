"""Natural gradients for physics-informed neural networks, full and sketched."""
