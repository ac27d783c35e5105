import threading
from dataclasses import replace

import torch

from genbench import Budget, FitConfig, Phase, Turn
from genbench.training import batches
from genbench.training.batches import Stream
from tests.contract.toys import Toy, data
from tests.contract.toys_conditioned import Labelled, Unpaired


def rows(images):
    return sorted(images.flatten(1).tolist())


def test_an_epoch_holds_each_image_once_and_the_next_is_in_another_order():
    splits = data()
    stream = Stream(splits.train, Toy().spec, 6, 0)
    first, second = (torch.cat([stream.batch(4 * epoch + k).images for k in range(4)]) for epoch in range(2))
    assert rows(first) == rows(second) == rows(splits.train.images)
    assert not torch.equal(first, second)


def test_a_batch_is_a_function_of_its_number():
    splits = data()
    forward, backward = (Stream(splits.train, Toy().spec, 7, 0) for _ in range(2))
    there = [forward.batch(k).images for k in range(9)]
    back = [backward.batch(k).images for k in reversed(range(9))][::-1]
    assert all(map(torch.equal, there, back))
    other = Stream(splits.train, Toy().spec, 7, 1)
    assert not torch.equal(other.batch(0).images, there[0])


def test_batches_that_a_thread_fetches_ahead_are_the_same(monkeypatch):
    splits = data()
    plain = [Stream(splits.train, Toy().spec, 7, 0).batch(k).images for k in (0, 1, 2, 8, 3)]
    monkeypatch.setattr(batches, "holds", lambda needed: False)
    stream = Stream(splits.train, Toy().spec, 7, 0)
    read, where = stream._read, []
    stream._read = lambda k: where.append((k, threading.current_thread() is threading.main_thread())) or read(k)
    assert all(map(torch.equal, [stream.batch(k).images for k in (0, 1, 2, 8, 3)], plain))
    stream.coming[1].result()
    assert where == [(k, False) for k in (0, 1, 2, 3, 8, 9, 3, 4)]


def test_unpaired_sources_are_all_seen_in_an_order_of_their_own():
    spec = Unpaired().spec
    splits = data(spec)
    stream = Stream(splits.train, spec, 1, 0)
    batches = [stream.batch(k) for k in range(len(splits.train.sources))]
    assert len(splits.train.sources) == len(splits.train) + 5
    assert rows(torch.cat([b.sources for b in batches])) == rows(splits.train.sources)


def test_paired_sources_labels_and_fields_stay_with_their_images():
    spec = replace(Unpaired().spec, paired=True, classes=100)
    splits = data(spec)
    batch = Stream(splits.train, spec, 10, 0).batch(1)
    for image, source, label in zip(batch.images, batch.sources, batch.labels, strict=True):
        place = (splits.train.images == image).flatten(1).all(1).nonzero().item()
        assert torch.equal(splits.train.sources[place], source)
        assert splits.train.labels[place] == label


def test_the_labelled_minibatch_holds_labelled_images_only():
    spec = Labelled().spec
    splits = data(spec)
    stream = Stream(splits.train, spec, 3, 0)
    few = [stream.batch(k).labelled for k in range(2)]
    assert rows(torch.cat([b.images for b in few])) == rows(splits.train.images[:6])
    assert all((b.labels >= 0).all() for b in few)


def test_a_later_phase_goes_on_in_the_data_where_the_one_before_stopped():
    model, seen = Toy(), []
    turn = model.phases()[0].turns[0]
    model.mse = lambda batch, step: (seen.append(batch.images), Toy.mse(model, batch, step))[1]
    turns = [Turn("net", [model.net], model.mse, turn.optimizer)]
    model.phases = lambda: [Phase("a", 0.5, turns), Phase("b", 0.5, turns)]
    splits = data()
    model.fit(splits, FitConfig(Budget(steps=4), 6))
    assert rows(torch.cat(seen)) == rows(splits.train.images)


def test_a_parameter_learned_in_one_phase_can_be_learned_again_in_the_next():
    model = Toy()
    model.other = torch.nn.Linear(16, 16)
    turn = model.phases()[0].turns[0]

    def loss(batch, step):
        return {"loss": model.other(model.decode(step, 6)).square().mean()}

    both = Turn("both", [model.net, model.other], loss, turn.optimizer)
    model.phases = lambda: [Phase("a", 0.5, [turn]), Phase("b", 0.5, [both])]
    before = model.other.weight.clone()
    model.fit(data(), FitConfig(Budget(steps=4), 6))
    assert not torch.equal(before, model.other.weight)
