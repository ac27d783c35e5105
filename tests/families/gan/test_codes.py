import torch

from families.gan.codes import LabelCode
from genbench import Batch


def test_a_label_stands_beside_the_noise_as_a_one_hot_vector_of_strength_3():
    u = torch.randn(4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    code, labels = LabelCode(2, 3), torch.tensor([2, 0, 1, 0])
    wanted = torch.tensor([[0, 0, 3], [3, 0, 0], [0, 3, 0], [3, 0, 0]], dtype=torch.float64)
    got = code(u, Batch(torch.zeros(4, 0), labels))
    assert torch.equal(got, torch.cat([u, wanted], 1))
    assert code.features == 5
