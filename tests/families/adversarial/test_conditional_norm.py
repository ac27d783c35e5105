import pytest
import torch
from torch import nn

from families.adversarial.conditional_norm import ClassBatchNorm, Conditional, Layers, VectorBatchNorm, parted
from families.adversarial.spectral import spectrally_normalised


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def randomised(module, seed=1):
    source = torch.Generator().manual_seed(seed)
    for parameter in module.double().parameters():
        parameter.data = torch.randn(parameter.shape, dtype=torch.float64, generator=source)
    return module


LABELS = torch.tensor([0, 2, 2, 1, 0, 2])


def test_each_class_has_its_own_gain_and_bias_after_the_whole_batchs_statistics():
    x, norm = 3 * normal(6, 4, 3, 5) + 2, randomised(ClassBatchNorm(4, 3))
    out = norm(x, LABELS)
    for row, label in enumerate(LABELS):
        for channel in range(4):
            values = x[:, channel]
            variance = (values - values.mean()).square().mean()
            unit = (x[row, channel] - values.mean()) / (variance + 1e-5).sqrt()
            wanted = norm.gain[label, channel] * unit + norm.bias[label, channel]
            torch.testing.assert_close(out[row, channel], wanted)


def test_evaluation_uses_running_statistics():
    x, norm = 3 * normal(6, 4, 3, 5) + 2, randomised(ClassBatchNorm(4, 3))
    norm(x, LABELS)
    mean = 0.1 * x.mean((0, 2, 3))
    variance = 0.9 + 0.1 * x.var((0, 2, 3))
    unit = (x - mean[:, None, None]) / (variance[:, None, None] + 1e-5).sqrt()
    wanted = norm.gain[LABELS][:, :, None, None] * unit + norm.bias[LABELS][:, :, None, None]
    torch.testing.assert_close(norm.eval()(x, LABELS), wanted)


def test_a_class_that_is_not_there_gets_no_gradient():
    norm = ClassBatchNorm(4, 3).double()
    norm(normal(2, 4, 3, 3), torch.tensor([0, 2])).square().sum().backward()
    for table in (norm.gain, norm.bias):
        assert [bool(row.any()) for row in table.grad] == [True, False, True]


def test_a_vector_gives_gain_and_bias_by_linear_maps():
    x, c, norm = normal(6, 4, 3, 5), normal(6, 7, seed=2), randomised(VectorBatchNorm(4, 7))
    unit = (x - x.mean((0, 2, 3), keepdim=True)) / (x.var((0, 2, 3), correction=0, keepdim=True) + 1e-5).sqrt()
    wanted = (1 + c @ norm.gain.weight.T)[:, :, None, None] * unit + (c @ norm.bias.weight.T)[:, :, None, None]
    torch.testing.assert_close(norm(x, c), wanted)
    assert norm.gain.bias is None
    assert norm.bias.bias is None


def test_all_classes_begin_as_plain_batch_normalisation():
    x = normal(6, 4, 3, 5)
    torch.testing.assert_close(ClassBatchNorm(4, 3).double()(x, LABELS), nn.BatchNorm2d(4).double()(x))


def test_spectral_normalisation_takes_the_maps_of_a_vector_and_leaves_the_tables_of_classes():
    vectors, classes = spectrally_normalised(VectorBatchNorm(4, 7)), spectrally_normalised(ClassBatchNorm(4, 3))
    for layer in (vectors.gain, vectors.bias):
        assert float(torch.linalg.matrix_norm(layer.weight, 2)) == pytest.approx(1, abs=0.02)
    assert torch.equal(classes.gain, torch.ones(4, 3).T)


def test_without_a_condition_it_refuses():
    with pytest.raises(ValueError, match="condition=None"):
        ClassBatchNorm(4, 3)(torch.zeros(2, 4, 3, 3), None)


class Noting(Conditional):
    def __init__(self, notes):
        super().__init__()
        self.notes = notes

    def forward(self, x, condition):
        self.notes.append(condition)
        return x + 1


@pytest.mark.parametrize(
    ("conditions", "wanted"), [((), [None] * 3), (("a",), ["a"] * 3), (("a", "b"), "abb"), (("a", "b", "c"), "abc")]
)
def test_conditions_go_to_the_conditional_layers_in_turn_and_the_last_goes_on(conditions, wanted):
    notes = []
    layers = Layers(Noting(notes), nn.ReLU(), Noting(notes), nn.Identity(), Noting(notes))
    assert float(layers(torch.zeros(()), conditions)) == 3
    assert notes == list(wanted)


def test_a_code_is_noise_alone_or_noise_and_conditions():
    a, b, c = torch.zeros(3, 1)
    assert parted(a) == (a, ())
    assert parted((a, b, c)) == (a, (b, c))
