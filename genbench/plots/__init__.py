"""Pictures: grids of images, likelihood against FID against speed, training curves, sheets of pictures."""
