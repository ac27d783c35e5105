"""Image-to-image models: what they draw, they draw from a source."""
