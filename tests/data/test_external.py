import numpy as np
import pytest
import torch

import genbench
from genbench import data
from genbench.data.external import checked, read


def test_both_orders_of_axes_are_the_same_images():
    images = torch.arange(2 * 3 * 8 * 8).reshape(2, 3, 8, 8).remainder(256).to(torch.uint8).repeat(20, 1, 1, 1)
    spec = genbench.DataSpec((3, 8, 8))
    known = data.Dataset("x", "x", spec, *(genbench.Split(images),) * 3, hashes={})
    assert torch.equal(checked(images.permute(0, 2, 3, 1), known), images)
    assert torch.equal(checked(images, known), images)


def test_objects_in_a_file_are_not_unpickled(tmp_path):
    np.savez(tmp_path / "x.npz", images=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="plain arrays"):
        read(tmp_path / "x.npz", data.load("digits"))
