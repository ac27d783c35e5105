"""Autoencoders whose code is a point: how they learn to reconstruct, and how their likelihood is bounded all the same.

A point has no density, so codes are proposed round it, with one width a latent. The width is not learned with the
weights: it is found behind training as what makes the ELBO greatest on validation images.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Generator, Tensor

from families.autoencoder.model import CLIP, LatentModel
from families.autoencoder.priors import Mixture
from families.layers.coded import row_chunks
from families.layers.evaluation import evaluation
from families.layers.training import warm_turn
from genbench.interface import Phase, Step, Turn, frozen
from genbench.spec import Batch, Splits

SEARCH_IMAGES = 64
SEARCH_STEPS = 60
SEARCH_RATE = 0.1
FIRST_LOG_STD = -2.0
FITTED = 10_000  # codes that a mixture is fitted to, at most


class PointAutoencoder(LatentModel):
    """An autoencoder of deterministic codes, trained on ``-log p(x given code)``, in nats a dimension.

    The encoder holds the width of its proposals in the buffer ``log_std``, and a ``Mixture`` prior is fitted to the
    training codes in the end.
    """

    def phases(self) -> Sequence[Phase]:
        """Return one turn on the reconstruction."""
        return [Phase("reconstruction", 1.0, [self.reconstruction_turn()], enter=self.enter)]

    def reconstruction_turn(self) -> Turn:
        """Build the turn in which encoder and decoder learn to reconstruct."""
        adam = partial(torch.optim.Adam, lr=self.lr)
        learns = [self.encoder, self.decoder]
        return warm_turn("reconstruction", learns, self.reconstruction_loss, adam, clip=CLIP)

    def reconstruction_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the loss ``-log p(x given code)``, in nats a dimension."""
        return {"loss": -self.reconstruction(batch, self.learning_code(batch, step)).mean() / self.spec.dimensions}

    def learning_code(self, batch: Batch, step: Step) -> Tensor:
        """Return the codes ``(B, Z)`` that all losses are of; a variant that disturbs its input does so here."""
        return self.encode(batch)

    def finish(self, data: Splits, generator: Generator) -> None:
        """Fit a mixture prior to training codes, then find the width of the proposals on validation images."""
        super().finish(data, generator)
        if isinstance(self.prior, Mixture):
            chosen = torch.randperm(len(data.train), generator=generator, device=generator.device)[:FITTED]
            train = data.train.rows(chosen.to(data.train.images.device))
            with evaluation(self):
                batches = (train.rows(rows).to(self.device) for rows in row_chunks(train))
                codes = torch.cat([self.encode(batch) for batch in batches])
                self.prior.fit(codes, generator)
        self.find_width(data.validation.rows(slice(SEARCH_IMAGES)).to(self.device), generator)

    def find_width(self, batch: Batch, generator: Generator) -> None:
        """Set the proposals' ``log_std`` to what makes the mean ELBO of ``batch`` greatest: Adam on it alone.

        The mean over the second half of the search is kept, since every step sees noise of its own.
        """
        width = self.encoder.get_buffer("log_std").fill_(FIRST_LOG_STD)
        trial = width.clone().requires_grad_()
        visited = []
        optimizer = torch.optim.Adam([trial], lr=SEARCH_RATE)
        with frozen(self), torch.enable_grad():
            for _ in range(SEARCH_STEPS):
                self.encoder.log_std = trial
                elbo = self.log_weights(batch, 1, generator).mean()
                (trial.grad,) = torch.autograd.grad(-elbo / self.spec.dimensions, trial)
                optimizer.step()
                visited.append(trial.detach().clone())
        self.encoder.log_std = width
        width.copy_(torch.stack(visited[SEARCH_STEPS // 2 :]).mean(0))
