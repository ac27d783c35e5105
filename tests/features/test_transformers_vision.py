"""Extractors whose weights lie in a user's Hugging Face cache, on small networks saved as that has them."""

import json

import pytest
import torch

from genbench import features
from genbench.features import transformers_vision
from genbench.metrics.quality import quality
from genbench.pretrained import hugging_face

LAYERS = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
IMAGES = torch.randint(0, 256, (12, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A cache as the command `hf download` leaves it, with both networks, of a few thousand weights each."""
    transformers = pytest.importorskip("transformers")
    root = tmp_path_factory.mktemp("hub")
    torch.manual_seed(0)
    text = {"vocab_size": 10, "max_position_embeddings": 5, **LAYERS}
    vision = {"image_size": 32, "patch_size": 8, "projection_dim": 6, **LAYERS}
    models = {
        "facebook/dinov2-base": transformers.Dinov2Model(
            transformers.Dinov2Config(image_size=28, patch_size=14, mlp_ratio=2, **LAYERS)
        ),
        "openai/clip-vit-base-patch32": transformers.CLIPModel(
            transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=6)
        ),
    }
    for repository, model in models.items():
        folder = root / f"models--{repository.replace('/', '--')}"
        model.save_pretrained(folder / "snapshots" / "abc")
        (folder / "refs").mkdir()
        (folder / "refs" / "main").write_text("abc")
    return root, models


@pytest.fixture
def at_hand(cache, monkeypatch):
    import huggingface_hub

    find = huggingface_hub.try_to_load_from_cache
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *words: find(*words, cache_dir=cache[0]))
    return cache[1]


def test_features_are_those_of_the_network_on_scaled_images(at_hand):
    extractor = features.extractor("dinov2-vit-b-14")
    found = extractor.features(IMAGES, 256)
    assert (found.features.shape, found.logits.shape) == ((12, 16), (12, 0))
    larger = torch.nn.functional.interpolate(
        IMAGES.expand(-1, 3, -1, -1) / 255, size=(224, 224), mode="bicubic", antialias=True
    ).clamp(0, 1)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in transformers_vision.IMAGENET)
    with torch.no_grad():
        wanted = at_hand["facebook/dinov2-base"].eval()(pixel_values=(larger - mean) / std)
    torch.testing.assert_close(found.features, wanted.last_hidden_state[:, 0], rtol=1e-4, atol=1e-4)
    assert "224×224" in extractor.resize
    assert len(extractor.hash) == 64


def test_clip_s_are_the_image_s_half_projected(at_hand):
    extractor = features.extractor("clip-vit-b-32")
    found = extractor.features(IMAGES, 256).features
    larger = torch.nn.functional.interpolate(
        IMAGES.expand(-1, 3, -1, -1) / 255, size=(32, 32), mode="bicubic", antialias=True
    ).clamp(0, 1)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in transformers_vision.OPENAI)
    whole = at_hand["openai/clip-vit-base-patch32"].eval()
    with torch.no_grad():
        pooled = whole.vision_model(pixel_values=(larger - mean) / std).pooler_output
        wanted = whole.visual_projection(pooled)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_there_is_no_inception_score_without_classes(at_hand):
    found = features.extractor("clip-vit-b-32").features(IMAGES, 256)
    measured = quality(found, found)
    assert (measured.fid, measured.inception_score, measured.inception_score_std) == (0, None, None)


def test_what_is_missing_or_another_s_is_refused_in_a_line(cache, at_hand, tmp_path, monkeypatch):
    import huggingface_hub

    path = hugging_face("dinov2-vit-b-14", "facebook/dinov2-base")
    other = hugging_face("clip-vit-b-32", "openai/clip-vit-base-patch32")
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((path if name == "config.json" else other).with_name(name).read_bytes())
    with pytest.raises(ValueError, match=r"model\.safetensors: not those of dinov2-vit-b-14"):
        features.extractor("dinov2-vit-b-14", weights=tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"model\.safetensors: not those of dinov2-vit-b-14"):
        features.extractor("dinov2-vit-b-14", weights=tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps([]))
    with pytest.raises(ValueError, match=r"model\.safetensors: not those of"):
        features.extractor("dinov2-vit-b-14", weights=tmp_path / "model.safetensors")
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *words: None)
    with pytest.raises(ValueError, match=r"has no weights: `hf download facebook/dinov2-base config\.json model"):
        features.extractor("dinov2-vit-b-14")
