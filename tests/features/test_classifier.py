import pytest
import torch

from genbench.features import classifier, extractor
from genbench.spec import DataSpec, Split


@pytest.fixture
def quick(monkeypatch, cache):
    monkeypatch.setattr(classifier, "LEAST_STEPS", 6)
    monkeypatch.setattr(classifier, "EPOCHS", 0)
    return cache


@pytest.fixture
def no_training(monkeypatch):
    def train(*_):
        raise AssertionError("trained again")

    return lambda: monkeypatch.setattr(classifier, "train", train)


def test_it_recognises_digits_it_has_not_seen(digits, cache):
    train, test, spec = digits
    seer = extractor("classifier", classifier_data=train, spec=spec)
    assert classifier.accuracy(seer, test, spec.levels) >= 0.97
    assert seer.features(test.images[:5], spec.levels).features.shape == (5, 64)
    assert seer.predict(test.images[:5], spec.levels).shape == (5, 10)


def test_it_is_trained_once_and_read_afterwards(digits, quick, no_training):
    train, test, spec = digits
    first = extractor("classifier", classifier_data=train, spec=spec)
    no_training()
    again = extractor("classifier", classifier_data=train, spec=spec)
    by_file = extractor("classifier", weights=first.weights)
    assert first.hash == again.hash == by_file.hash
    for seer in (again, by_file):
        assert torch.equal(seer.predict(test.images, 17), first.predict(test.images, 17))


def test_training_repeats_exactly_and_leaves_the_global_generator_alone(digits, quick):
    train, _, spec = digits
    before = torch.get_rng_state()
    first = extractor("classifier", classifier_data=train, spec=spec)
    assert torch.equal(torch.get_rng_state(), before)
    first.weights.unlink()
    torch.manual_seed(7)
    assert extractor("classifier", classifier_data=train, spec=spec).hash == first.hash


def test_a_damaged_file_is_trained_again(digits, quick):
    train, _, spec = digits
    first = extractor("classifier", classifier_data=train, spec=spec)
    whole = first.weights.read_bytes()
    first.weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ValueError, match="not a classifier"):
        extractor("classifier", weights=first.weights)
    assert extractor("classifier", classifier_data=train, spec=spec).hash == first.hash
    assert first.weights.read_bytes() == whole


def test_other_labels_make_another_classifier(digits, quick):
    train, _, spec = digits
    first = extractor("classifier", classifier_data=train, spec=spec)
    other = extractor("classifier", classifier_data=Split(train.images, train.labels.flip(0)), spec=spec)
    assert first.hash != other.hash
    assert first.weights != other.weights


def test_without_a_place_to_write_it_lives_in_memory(digits, quick):
    train, _, spec = digits
    first = extractor("classifier", classifier_data=train, spec=spec)
    for path in sorted(quick.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    quick.rmdir()
    quick.write_text("a file where the folder should be")
    again = extractor("classifier", classifier_data=train, spec=spec)
    assert again.weights is None
    assert again.hash == first.hash


def test_images_without_label_teach_nothing(digits, quick):
    train, test, spec = digits
    labels = train.labels.clone()
    labels[600:] = -1
    part = extractor("classifier", classifier_data=Split(train.images, labels), spec=spec)
    few = extractor("classifier", classifier_data=Split(train.images[:600], train.labels[:600]), spec=spec)
    assert part.hash == few.hash
    half = Split(test.images, torch.where(torch.arange(len(test)) < 50, test.labels, -1))
    assert classifier.accuracy(part, half, 17) == classifier.accuracy(
        part, Split(test.images[:50], test.labels[:50]), 17
    )


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (3, 20, 12), (1, 4, 4)])
def test_shapes_of_every_data_set_fit(shape, quick):
    images = torch.randint(0, 256, (40, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    data = Split(images, torch.arange(40) % 4)
    seer = extractor("classifier", classifier_data=data, spec=DataSpec(shape, 256, 4))
    seen = seer.features(images, 256)
    assert (seen.features.shape, seen.logits.shape) == ((40, 64), (40, 4))
    assert bool(seen.features.isfinite().all())


def test_without_labels_or_data_one_line_says_so(digits, cache):
    train, _, spec = digits
    with pytest.raises(ValueError, match="pass classifier_data and spec"):
        extractor("classifier")
    for labels in (None, torch.full((len(train),), -1)):
        with pytest.raises(ValueError, match="no labels"):
            extractor("classifier", classifier_data=Split(train.images, labels), spec=spec)
    with pytest.raises(ValueError, match="no labels"):
        extractor("classifier", classifier_data=train, spec=DataSpec((1, 8, 8), 17, 0))
