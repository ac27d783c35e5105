import pytest
import torch

from families.autoregressive import pixelcnn_pp_columns as cache
from families.autoregressive.sampling import Task, draw_cached, draw_naive
from genbench import DataSpec
from genbench.seed import generator, uniform
from tests.families.autoregressive.helpers import narrow_pixelcnn_pp


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("shape", "n", "depth", "classes"),
    [
        ((1, 16, 16), 3, 1, 0),
        ((3, 8, 8), 5, 2, 4),
        ((1, 16, 8), 1, 1, 2),
        ((2, 5, 7), 4, 2, 0),
        ((3, 1, 2), 2, 1, 0),
        ((1, 9, 13), 3, 1, 3),
        ((1, 13, 17), 1, 1, 0),
        ((1, 17, 18), 1, 1, 0),
    ],
)
def test_cached_sampling_is_the_network_pixel_by_pixel(shape, n, depth, classes, dtype):
    spec = DataSpec(shape, 17, classes=classes)
    model = narrow_pixelcnn_pp(spec, gain=1.0, depth=depth, components=3, conditional=bool(classes)).to(dtype)
    labels = torch.arange(n) % classes if classes else None
    uniforms = uniform((n, model.output.uniforms(shape[0]), *shape[1:]), generator(0))
    task = Task(model.network, model.output, shape, uniforms, labels)
    with torch.no_grad():
        cached = draw_cached(task)
        assert torch.equal(cached, draw_naive(task))
        assert cached.unique().numel() > 4
        columns, whole = model.network.columns(n, labels), model.network(task.unit(cached), labels)
        near = 1e-4 if dtype == torch.float32 else 1e-11
        for y, x in task.raster():
            assert torch.allclose(columns.read(y, x, 0), whole[:, :, y, x], atol=near, rtol=near)
            for channel, values in enumerate(task.unit(cached[:, :, y, x]).unbind(1)):
                columns.write(y, x, channel, values)


def test_cached_sampling_completes_and_cools_as_naive_sampling_does():
    spec = DataSpec((3, 8, 8), 17)
    model, known = narrow_pixelcnn_pp(spec), torch.randint(17, (4, 3, 3, 8)).to(torch.uint8)
    uniforms = uniform((4, 4, 8, 8), generator(0))
    task = Task(model.network, model.output, spec.shape, uniforms, None, known, temperature=0.5)
    with torch.no_grad():
        cached = draw_cached(task)
        assert torch.equal(cached, draw_naive(task))
    assert torch.equal(cached[:, :, :3], known)


def test_cached_sampling_computes_each_row_and_pixel_once_at_its_own_scale(monkeypatch):
    model, met = narrow_pixelcnn_pp(DataSpec((1, 16, 16), 5)), []
    model.network.forward = None  # any call fails

    def watched(name):
        inner = getattr(cache.ScaleColumns, name)

        def outer(self, *args):
            met.append((name, len(self.before[0][1].first.slots), *args[:-1]))
            return inner(self, *args)

        return outer

    for name in ("row", "pixel"):
        monkeypatch.setattr(cache.ScaleColumns, name, watched(name))
    model.sample(2, generator=generator(0))
    rows = [("row", side, y) for side in (16, 8, 4) for y in range(side)]
    pixels = [("pixel", side, y, x) for side in (16, 8, 4) for y in range(side) for x in range(side)]
    assert sorted(met, key=str) == sorted(rows + pixels, key=str)
