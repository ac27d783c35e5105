import torch

from families.autoregressive.gated_columns import Gate
from families.autoregressive.gated_network import gate


def test_a_gate_is_tanh_of_one_half_times_sigmoid_of_the_other():
    x = torch.randn(5, 6, 2, 2, dtype=torch.float64)
    assert torch.allclose(gate(x), torch.tanh(x[:, :3]) * torch.sigmoid(x[:, 3:]))
    scaled = x[:, :, 0, 0] * torch.tensor([-2.0] * 3 + [1.0] * 3)
    out = torch.empty(5, 3, dtype=torch.float64)
    Gate(scaled, out)()
    assert torch.allclose(out, gate(x)[:, :, 0, 0], atol=1e-14)
