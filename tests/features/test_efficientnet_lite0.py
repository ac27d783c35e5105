import pytest
import torch
import torch_fidelity
from efficientnet_lite_pytorch import EfficientNet
from torch.nn.functional import interpolate
from torch.utils.data import Dataset

from genbench.features import classifier, extractor
from genbench.features.efficientnet_lite0 import EfficientNetLite0
from genbench.files import file_digest
from genbench.metrics.quality import quality
from genbench.pretrained import efficientnet_lite0
from genbench.spec import to_bytes


class Bare(Dataset):
    """Images alone, as torch-fidelity wants them."""

    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index]


@pytest.fixture(scope="module")
def lite():
    return extractor("efficientnet-lite0")


def by_torch_fidelity(seer, fake, real):
    size = min(len(fake), len(real))
    return torch_fidelity.calculate_metrics(
        input1=Bare(fake),
        input2=Bare(real),
        feature_extractor=seer.name,
        feature_extractor_weights_path=seer.weights,
        batch_size=seer.batch_size,
        kid_subset_size=size,
        rng_seed=0,
        isc=True,
        fid=True,
        kid=True,
        prc=True,
        cuda=False,
        cache=False,
        save_cpu_ram=True,
        verbose=False,
    )


@pytest.mark.parametrize("name", ["efficientnet-lite0", "classifier"])
def test_torch_fidelity_gives_the_same_figures(name, digits, cache, monkeypatch):
    train, test, spec = digits
    monkeypatch.setattr(classifier, "LEAST_STEPS", 20)
    monkeypatch.setattr(classifier, "EPOCHS", 0)
    seer = extractor(name, classifier_data=train, spec=spec)
    real, fake = train.images[:70], torch.cat([test.images[:60], train.images[70:80].flip(3)])
    ours = quality(seer.features(real, 17), seer.features(fake, 17), seed=0)
    theirs = by_torch_fidelity(seer, to_bytes(fake, 17), to_bytes(real, 17))
    assert ours.fid == pytest.approx(theirs["frechet_inception_distance"], rel=1e-6)
    assert ours.kid == pytest.approx(
        theirs["kernel_inception_distance_mean"], rel=1e-4, abs=1e-6
    )  # whose sums are float32
    assert ours.precision == pytest.approx(theirs["precision"], abs=1e-6)
    assert ours.recall == pytest.approx(theirs["recall"], abs=1e-6)
    assert ours.inception_score == pytest.approx(theirs["inception_score_mean"], rel=1e-6)
    assert ours.inception_score_std == pytest.approx(theirs["inception_score_std"], rel=1e-6)
    assert type(ours).model_validate_json(ours.model_dump_json()) == ours


def test_the_hash_is_that_of_the_embedded_file(lite):
    assert lite.hash == file_digest(efficientnet_lite0())
    assert lite.weights == efficientnet_lite0()
    assert "112" in lite.resize


def test_folding_the_normalisation_changes_nothing(lite, digits):
    _, test, _ = digits
    plain = EfficientNet.from_name("efficientnet-lite0", image_size=112)
    plain.load_state_dict(torch.load(efficientnet_lite0(), weights_only=True))
    plain.eval()
    images = to_bytes(test.images[:4], 17)
    large = interpolate(images.expand(-1, 3, -1, -1).float(), size=(112, 112), mode="bilinear", antialias=True)
    with torch.no_grad():
        expected = plain((large - 127) / 128)
    assert torch.allclose(lite.features(images, 256).logits, expected, atol=1e-4)


def test_the_weights_know_imagenet(lite):
    """A flower and a palace from scikit-learn: normalised otherwise, the palace is taken for a bell tower."""
    from sklearn.datasets import load_sample_images

    wanted = {"china.jpg": 698, "flower.jpg": 985}  # palace, daisy
    data = load_sample_images()
    for picture, name in zip(data.images, data.filenames, strict=True):
        square = torch.tensor(picture).permute(2, 0, 1)[None, :, :, 100:527]
        top = lite.features(square, 256).logits.topk(5).indices[0].tolist()
        assert wanted[name.replace("\\", "/").split("/")[-1]] in top


def test_an_image_is_seen_alike_alone_grey_or_in_colour(lite, digits):
    _, test, _ = digits
    together = lite.features(test.images[:20], 17)
    alone = lite.features(test.images[7:8].expand(-1, 3, -1, -1).contiguous(), 17)
    assert together.features.shape == (20, 1280)
    assert torch.allclose(together.features[7], alone.features[0], atol=1e-4)


def test_real_digits_rank_before_shifted_blurred_and_noise(lite, digits):
    train, test, _ = digits
    real = lite.features(train.images[:80], 17)
    blurred = torch.nn.functional.avg_pool2d(test.images[:80].float(), 3, 1, 1).to(torch.uint8)
    noise = torch.randint(0, 17, test.images[:80].shape, generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    scores = [quality(real, lite.features(fake, 17)) for fake in (test.images[:80], blurred, noise)]
    assert scores[0].fid < scores[1].fid < scores[2].fid
    assert scores[0].kid < scores[1].kid < scores[2].kid
    assert scores[0].notes == ("fewer images than features: FID is biased upwards",)
    assert scores[0].precision > scores[2].precision


def test_building_the_extractor_draws_no_random_numbers():
    before = torch.get_rng_state()
    extractor("efficientnet-lite0")
    assert torch.equal(torch.get_rng_state(), before)


def test_another_programs_weights_are_refused_and_run_no_code(tmp_path, trap):
    torch.save(trap(tmp_path / "ran"), tmp_path / "trap.pth")
    torch.save({"a": torch.zeros(2)}, tmp_path / "other.pth")
    (tmp_path / "cut.pth").write_bytes(efficientnet_lite0().read_bytes()[:10_000])
    for name in ("trap.pth", "other.pth", "cut.pth", "missing.pth"):
        with pytest.raises(ValueError, match=name) as error:
            extractor("efficientnet-lite0", weights=tmp_path / name)
        assert "\n" not in str(error.value)
    assert not (tmp_path / "ran").exists()


def test_layers_come_in_the_order_they_were_asked_for(digits):
    _, test, _ = digits
    network = EfficientNetLite0("efficientnet-lite0", ["logits", "features"])
    logits, features = network(test.images[:1])
    assert (logits.shape, features.shape) == ((1, 1000), (1, 1280))
