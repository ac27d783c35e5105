import torch


def every_image(spec):
    """All images of a tiny shape, uint8."""
    values = torch.cartesian_prod(*[torch.arange(spec.levels, dtype=torch.uint8)] * spec.dimensions)
    return values.view(-1, *spec.shape)
