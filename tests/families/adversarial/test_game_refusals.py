from functools import partial

import pytest
import torch
from torch import nn

from families.adversarial.terms import Term
from tests.families.adversarial.test_game import game, randn, scored, step


@pytest.mark.parametrize("name", ["loss", "real", "fake", "in_order"])
@pytest.mark.parametrize("side", ["critic", "generator", "logs"])
def test_a_term_may_not_take_a_name_of_the_games_own(side, name):
    class Taking(Term):
        def critic(self, game, step):
            return {name: torch.tensor(1.0)} if side == "critic" else {}

        def generator(self, game, step):
            return {name: torch.tensor(1.0)} if side == "generator" else {}

        def logs(self, game, turn, step):
            return {name: torch.tensor(1.0)} if side == "logs" else {}

    whole = game(terms=[Taking()])
    turn = whole.generator_loss if side == "generator" else partial(whole.critic_loss, scored(1.0))
    with pytest.raises(ValueError, match=f"Taking: its value '{name}' has a name of the game's own") as caught:
        turn(scored(0.0), step())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda x: (x[:, 0], x, x), "tuple of 3"),
        (lambda x: (x[:, 0],), "tuple of 1"),
        (lambda x: (x[:, 0], [x]), "tuple of 2"),
        (lambda x: {"logits": x}, "dict"),
        (lambda x: None, "NoneType"),
    ],
)
def test_a_critic_that_answers_anything_else_is_refused(answer, said):
    class Odd(nn.Module):
        def forward(self, images):
            return answer(images)

    with pytest.raises(ValueError, match=f"critic: it answers a {said}: give logits, a pair") as caught:
        game(Odd()).scored(randn(4, 3))
    assert "\n" not in str(caught.value)
