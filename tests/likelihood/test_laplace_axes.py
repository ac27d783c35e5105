"""The axes of an approximation, where the usual solver of them does not come to an end."""

import torch

from genbench.likelihood.laplace import eigen


def test_where_torchs_solver_does_not_come_to_an_end_another_does(monkeypatch):
    def lost(_):
        raise torch.linalg.LinAlgError("it did not converge")

    root = torch.randn(3, 6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    root[:, 2:] = 0
    matrices = root @ root.mT
    wanted = torch.linalg.eigvalsh(matrices)
    monkeypatch.setattr(torch.linalg, "eigh", lost)
    values, vectors = eigen(matrices)
    torch.testing.assert_close(values, wanted)
    torch.testing.assert_close(vectors @ (values[:, :, None] * vectors.mT), matrices)
