import copy

import pytest
import torch

from families.adversarial.image_pool import ImagePool
from genbench.seed import uniform


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def numbered(first, count):
    """Images of one pixel that hold their own number."""
    return torch.arange(first, first + count).float().view(-1, 1, 1, 1)


def numbers(images):
    return images.flatten().int().tolist()


def filled(size):
    pool = ImagePool(size, (1, 1, 1))
    pool.exchange(numbered(0, size), gen())
    return pool


def test_below_its_capacity_it_stores_a_copy_of_what_it_gives_back():
    pool = ImagePool(3, (1, 1, 1))
    fakes = numbered(1, 2)
    assert numbers(pool.exchange(fakes, gen())) == [1, 2]
    fakes.fill_(9)
    assert numbers(pool.images) == [1, 2, 0]
    assert int(pool.count) == 2


def test_a_full_store_exchanges_row_by_row_as_the_generator_says():
    pool, stored, fakes = filled(2), [0, 1], list(range(2, 42))
    chances, places = uniform((2, 40), gen(3)).tolist()
    expected = []
    for fake, chance, place in zip(fakes, chances, places, strict=True):
        if chance < 0.5:
            at = 0 if place < 0.5 else 1
            expected.append(stored[at])
            stored[at] = fake
        else:
            expected.append(fake)
    assert numbers(pool.exchange(numbered(2, 40), gen(3))) == expected
    assert numbers(pool.images) == stored


def test_half_of_what_a_full_store_gives_back_is_old():
    pool = filled(50)
    shown = pool.exchange(numbered(50, 4_000), gen(1))
    assert float((shown != numbered(50, 4_000)).float().mean()) == pytest.approx(0.5, abs=0.03)
    assert len(set(numbers(shown))) == 4_000, "nothing is given back twice"


def test_it_fills_up_and_exchanges_within_one_batch():
    pool = ImagePool(2, (1, 1, 1))
    shown = numbers(pool.exchange(numbered(0, 40), gen()))
    assert shown[:2] == [0, 1]
    assert shown != list(range(40))
    assert int(pool.count) == 2


@pytest.mark.parametrize("method", ["exchange", "replace_half"])
def test_no_gradient_passes_and_the_fakes_are_left_as_they_are(method):
    fakes = numbered(5, 8).requires_grad_()
    shown = getattr(filled(4), method)(fakes, gen())
    assert not shown.requires_grad
    assert numbers(fakes) == list(range(5, 13))


def test_a_batch_stays_as_it_is_until_the_store_is_full_and_then_half_of_it_is_old():
    pool = ImagePool(12, (1, 1, 1))
    for first in (0, 8):
        assert numbers(pool.replace_half(numbered(first, 8), gen(first))) == list(range(first, first + 8))
    assert numbers(pool.images) == list(range(12))
    shown = numbers(pool.replace_half(numbered(100, 8), gen(2)))
    assert shown[4:] == [104, 105, 106, 107]
    assert len(set(shown[:4]) & set(range(12))) == 4, "four different ones of the store"
    kept = set(numbers(pool.images))
    assert {100, 101, 102, 103} <= kept, "which takes those that they displaced"
    assert len(kept & set(range(12))) == 8


def test_a_store_smaller_than_half_of_a_batch_gives_all_it_has():
    shown = numbers(filled(2).replace_half(numbered(10, 8), gen()))
    assert set(shown[:2]) == {0, 1}
    assert shown[2:] == [12, 13, 14, 15, 16, 17]


@pytest.mark.parametrize("method", ["exchange", "replace_half"])
def test_the_generator_and_the_buffers_alone_decide(method):
    pool = filled(6)
    again = ImagePool(6, (1, 1, 1))
    again.load_state_dict(copy.deepcopy(pool.state_dict()))
    torch.manual_seed(1)
    one = getattr(pool, method)(numbered(10, 8), gen(4))
    torch.manual_seed(2)
    assert torch.equal(one, getattr(again, method)(numbered(10, 8), gen(4)))
    assert torch.equal(pool.images, again.images)
    other = getattr(filled(6), method)(numbered(10, 8), gen(5))
    assert not torch.equal(one, other)


def test_a_size_below_one_is_refused():
    with pytest.raises(ValueError, match="size=0: give a whole number, 1 or more"):
        ImagePool(0, (1, 1, 1))
