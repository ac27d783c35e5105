"""Two processes that train one model: what they share, what each draws for itself, and what a single one would find."""

import pytest
import torch

from genbench import Batch, Budget, FitConfig
from genbench.runs.spawn import SPAWN
from genbench.training import parallel
from genbench.training.batches import Stream
from genbench.training.parallel import ALONE, Ranks, check, joined
from tests.contract.toys import PLAIN, Toy, data
from tests.training import ranks as together


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ranks")


@pytest.fixture(scope="module")
def found(folder):
    """What each of two processes found."""
    processes = [SPAWN.Process(target=together.work, args=(rank, folder)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(300)
        process.kill()  # one that waits for an answer would wait on
    assert [process.exitcode for process in processes] == [0, 0]
    return [torch.load(folder / f"found-{rank}.pt") for rank in range(2)]


def same(one, other):
    assert one.keys() == other.keys()
    return all(torch.equal(one[name], other[name]) for name in one)


def test_without_noise_two_ranks_are_one(found):
    model = together.built(together.PIXELCNN, PLAIN).double()  # float32's rounding grows in Adam where gradients vanish
    began = together.state(model)
    model.fit(data(), together.FIFTY)
    ends = together.state(model)
    assert all(torch.allclose(found[0]["pixelcnn"][name], value, rtol=0, atol=1e-10) for name, value in ends.items())
    assert max((began[name] - value).abs().max() for name, value in model.named_parameters()) > 1e-2
    assert same(*(each["pixelcnn"] for each in found))


def test_gradients_are_means_and_what_no_rank_reached_has_none(found):
    for first, second, third, fourth in (each["averaged"] for each in found):
        assert torch.equal(first, torch.full((2, 3), 2.0))
        assert torch.equal(second, torch.tensor([2.0, -3.0]))
        assert third is None
        assert torch.equal(fourth, torch.arange(9) / 2)


def test_each_rank_has_its_rows_and_its_noise_and_all_hear_the_same(found):
    first, second = (each["noted"] for each in found)
    stream = Stream(data().train, PLAIN, 6, 0)
    for k in range(3):
        assert torch.equal(torch.cat([first["rows"][k], second["rows"][k]]), stream.batch(k).images)
        assert not torch.equal(first["noise"][k], second["noise"][k])
    assert first["told"] == second["told"]
    assert first["images"] == second["images"] == 18, "of all ranks together"
    assert len(first["clock"]) == 6
    assert first["clock"] == second["clock"]


def test_running_statistics_are_means_and_other_buffers_the_first_rank_s(found):
    first, second = (each["noted"] for each in found)
    assert same(first["state"], second["state"])
    mean = torch.zeros(16)
    for k in range(3):
        parts = [each["rows"][k].float().flatten(1).mean(0) for each in (first, second)]
        mean = 0.9 * mean + 0.1 * (parts[0] + parts[1]) / 2
    assert torch.allclose(first["state"]["norm.running_mean"], mean, atol=1e-6)
    generator = torch.Generator().manual_seed(parallel_seed())
    for _ in range(3):
        torch.randn(2, generator=generator)
        last = torch.rand((), generator=generator)
    assert torch.equal(first["state"]["mine"], last)


def parallel_seed():
    from genbench.seed import derive

    return derive(0, "fit")  # rank 0 draws what one process would


def test_a_loss_that_is_not_finite_in_one_rank_stops_all(found):
    assert {each["diverged"] for each in found} == {"the loss is not finite in turn 'net' at step 3"}


def test_ranks_that_disagree_write_no_checkpoint(found, folder):
    assert not (folder / "odd.pt").exists()
    assert {each["disagreed"] for each in found} == {"2 devices: their processes hold different net.bias"}


def test_a_training_cut_off_goes_on_bit_for_bit_with_its_pool_in_every_rank(found):
    (whole, again), (other, other_again) = (each["resumed"] for each in found)
    assert int(whole["filled"]) == 10
    assert same(whole, other)
    assert same(whole, again)
    assert same(other, other_again)


@pytest.mark.parametrize("name", together.RECIPES)
def test_a_recipe_of_each_kind_trains_and_ranks_agree(found, folder, name):
    ends = found[0]["recipes"][name]
    assert same(ends, found[1]["recipes"][name])
    began = together.state(together.built(together.RECIPES[name]))
    assert any(not torch.equal(began[each], value) for each, value in ends.items() if each.endswith("weight"))
    # What is done can be read by one process alone; what is not cannot be gone on with by it.
    model = together.built(together.RECIPES[name])
    model.fit(data(together.SPEC), FitConfig(Budget(steps=2), 8), resume=folder / f"{name}.pt")
    assert same(ends, together.state(model))


def test_a_training_on_two_devices_does_not_go_on_with_one(found, folder, tmp_path):
    whole = torch.load(folder / "pool.pt", weights_only=True)
    whole["state"]["done"] = False
    torch.save(whole, tmp_path / "t.pt")
    with pytest.raises(ValueError, match=r"t\.pt is of a training on 2 devices, not on 1"):
        together.Pool().fit(data(), FitConfig(Budget(steps=9), 6, seed=3), resume=tmp_path / "t.pt")


def test_alone_nothing_is_exchanged_or_copied():
    model = Toy()
    batch = data().train
    logs = {"loss": torch.ones((), requires_grad=True)}
    assert ALONE.part(batch) is batch
    assert ALONE.own == ()
    assert ALONE.told(0.3) == 0.3
    assert not ALONE.mean(logs)["loss"].requires_grad
    assert ALONE.gathered(5) == [5]
    for nothing in (ALONE.share, ALONE.settle, ALONE.check_agreement):
        assert nothing(model) is None


def test_a_batch_is_cut_with_all_that_belongs_to_it():
    rows = torch.arange(6)
    few = Batch(rows[:4].view(4, 1, 1, 1), rows[:4])
    batch = Batch(rows.view(6, 1, 1, 1), rows + 10, rows.view(6, 1, 1, 1) + 20, {"caption": rows[:, None]}, few)
    part = Ranks(1, 2).part(batch)
    assert part.images.flatten().tolist() == [3, 4, 5]
    assert part.labels.tolist() == [13, 14, 15]
    assert part.sources.flatten().tolist() == [23, 24, 25]
    assert part.fields["caption"].flatten().tolist() == [3, 4, 5]
    assert part.labelled.labels.tolist() == [2, 3]
    with pytest.raises(ValueError, match=r"devices=4: a batch of 6 has no 4 equal parts; give a multiple of 4"):
        Ranks(0, 4).part(batch)


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        (lambda: FitConfig(Budget(steps=1), 9, devices=2), r"devices=2: a batch of 9 has no 2 equal parts"),
        (lambda: FitConfig(Budget(steps=1), 8, devices=0), r"devices=0: give at least 1"),
        (lambda: check(4, "cpu", 8), r"devices=4: there are 2 cores here; give at most these"),
        (lambda: check(3, "cuda", 9), r"devices=3: there are 0 CUDA devices here"),
        (lambda: check(2, "cpu", 9), r"devices=2: a batch of 9"),
        (lambda: joined(2, torch.device("cpu")), r"devices=2: this training has 1 of as many processes; start them by"),
        (
            lambda: Toy().fit(data(), FitConfig(Budget(steps=1), 8, devices=2)),
            r"start them by genbench run --devices-p",
        ),
    ],
)
def test_what_cannot_be_shared_is_refused(refused, message, monkeypatch):
    monkeypatch.setattr("genbench.processor.cores", lambda: {0, 1})
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ValueError, match=message):
        refused()


def test_a_torch_without_a_backend_is_refused(monkeypatch):
    monkeypatch.setattr("genbench.processor.cores", lambda: {0, 1})
    monkeypatch.setattr(parallel.distributed, "is_gloo_available", lambda: False)
    with pytest.raises(ValueError, match=r"devices=2: this torch comes without gloo; give 1"):
        check(2, "cpu", 8)
