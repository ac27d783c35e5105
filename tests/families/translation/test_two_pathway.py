import pytest
import torch

from families.translation.two_pathway import FAINT, GlobalPath, LocalPath, Part, TwoPathway, face_parts
from tests.families.translation.toy import gen

SIDES = (32, 32)


@pytest.fixture(autouse=True)
def same_weights():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=gen(seed))


def points(*rows):
    return torch.tensor(rows)


def two_pathway(shape=(1, 32, 32)):
    return TwoPathway(shape, shape[0], 4, 8, 5, 3).eval()


def test_parts_are_a_quarter_of_the_paper_s_and_lie_symmetrically():
    left, right, nose, mouth = face_parts(SIDES)
    assert [(part.height, part.width) for part in (left, right, nose, mouth)] == [(10, 10), (10, 10), (8, 10), (8, 12)]
    assert left.left + right.left + 10 == 32
    assert left.top == right.top < nose.top < mouth.top
    assert (2 * nose.left + 10, 2 * mouth.left + 12) == (32, 32)
    for part in face_parts((5, 7)) + face_parts((1, 1)):
        assert min(part.height, part.width) >= 1


def test_a_patch_is_cut_round_its_point_and_repeats_the_frame():
    images = torch.arange(32.0).view(2, 1, 4, 4)
    part = Part(2, 3, 0, 0)
    cut = part.cut(images, points((2, 1), (0, 0)))
    assert torch.equal(cut[0, 0], torch.tensor([[1.0, 2, 3], [5, 6, 7]]))
    assert torch.equal(cut[1, 0], torch.tensor([[16.0, 16, 17], [16, 16, 17]]))


def test_a_patch_keeps_its_channels():
    images = torch.arange(32.0).view(1, 2, 4, 4)
    assert torch.equal(Part(2, 2, 0, 0).cut(images, points((1, 1))), images[:, :, :2, :2])


def test_a_patch_lands_at_its_place_alone_and_comes_back_from_there():
    maps, part = randn(2, 3, 2, 3), Part(2, 3, 1, 4)
    laid = part.laid(maps, (5, 8))
    assert laid.shape == (2, 3, 5, 8)
    assert torch.equal(part.frontal(laid), maps)
    rest = laid.clone()
    rest[:, :, 1:3, 4:7] = 0
    assert not rest.any()


def test_maps_of_a_part_are_rectified_and_join_by_the_larger():
    net, source = two_pathway(), randn(3, 1, 32, 32)
    landmarks = torch.randint(32, (3, 4, 2), generator=gen(1))
    seen = []
    net.fuse.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    net(source, randn(3, 5), landmarks)
    joined = seen[0][:, 4:]
    wanted = torch.zeros_like(joined)
    for path, at in zip(net.paths(), landmarks.unbind(1), strict=True):
        maps, image = path(source, at)
        assert float(maps.min()) >= 0
        assert image.shape[1:] == (1, path.part.height, path.part.width)
        wanted = torch.maximum(wanted, path.part.laid(maps, SIDES))
    assert torch.equal(joined, wanted)
    assert float(joined.max()) > 0
    covered = sum(path.part.laid(torch.ones(1, 1, path.part.height, path.part.width), SIDES) for path in net.paths())
    assert not joined[(covered == 0).expand_as(joined)].any(), "nothing lies beside the parts"


def test_a_part_s_maps_are_normalised_and_made_of_its_patch_beside_what_the_network_makes_of_it():
    path = LocalPath(2, 1, Part(8, 10, 0, 0), 4).train()
    source, at = randn(6, 2, 32, 32), points(*[(16, 16)] * 6)
    seen = []
    path.maps.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    normalised = []
    path.maps[-2].register_forward_hook(lambda module, inputs, maps: normalised.append(maps))
    maps, _ = path(source, at)
    patch = path.part.cut(source, at)
    assert torch.equal(seen[0], torch.cat([path.net(patch, patch.new_empty(6, 0)), patch], 1))
    assert torch.equal(maps, normalised[0].relu())
    torch.testing.assert_close(normalised[0].mean((0, 2, 3)), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(normalised[0].var((0, 2, 3), correction=0), torch.ones(4), atol=1e-2, rtol=0)


def test_moving_a_landmark_moves_one_part_and_neither_the_others_nor_the_code():
    net, source, u = two_pathway(), randn(2, 1, 32, 32), randn(2, 5)
    landmarks = torch.full((2, 4, 2), 16)
    before = net(source, u, landmarks)
    for i in range(4):
        moved = landmarks.clone()
        moved[:, i] += 5
        after = net(source, u, moved)
        assert [torch.equal(one, two) for one, two in zip(before.parts, after.parts, strict=True)] == [
            k != i for k in range(4)
        ]
        assert not torch.equal(before.images[0], after.images[0])
        assert all(torch.equal(one, two) for one, two in zip(before.images[1:], after.images[1:], strict=True))
        assert torch.equal(before.identities, after.identities)


def test_noise_is_faint_and_moves_all_scales_but_no_part_and_no_identity():
    net, source, u = two_pathway(), randn(2, 1, 32, 32), randn(2, 5)
    landmarks = torch.full((2, 4, 2), 16)
    one, two = net(source, u, landmarks), net(source, -u, landmarks)
    assert all(not torch.equal(a, b) for a, b in zip(one.images, two.images, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(one.parts, two.parts, strict=True))
    assert torch.equal(one.identities, two.identities)
    seen = []
    net.whole.spread.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    net(source, u, landmarks)
    assert torch.equal(seen[0][:, 8:], FAINT * u)


def test_the_code_is_the_larger_of_two_halves():
    net, source = GlobalPath((1, 8, 8), 1, 4, 3, 2).eval(), randn(2, 1, 8, 8)
    both = []
    net.code.register_forward_hook(lambda module, inputs, output: both.append(output))
    _, _, code = net(source, randn(2, 2))
    assert torch.equal(code, torch.maximum(both[0][:, :3], both[0][:, 3:]))
    assert code.shape == (2, 3)


@pytest.mark.parametrize(
    ("shape", "scales"),
    [
        ((1, 32, 32), [(32, 32), (16, 16), (8, 8)]),
        ((3, 8, 8), [(8, 8), (4, 4)]),
        ((1, 13, 17), [(13, 17), (7, 9)]),
        ((1, 4, 4), [(4, 4)]),
        ((1, 2, 2), [(2, 2)]),
        ((1, 64, 64), [(64, 64), (32, 32), (16, 16)]),
    ],
)
def test_there_is_an_image_on_minus_1_to_1_for_each_scale(shape, scales):
    net = two_pathway(shape).train()
    landmarks = torch.randint(min(shape[1:]), (3, 4, 2), generator=gen())
    made = net(randn(3, *shape), randn(3, 5), landmarks)
    assert [tuple(image.shape) for image in made.images] == [(3, shape[0], *sides) for sides in scales]
    assert all(float(image.abs().max()) <= 1 for image in made.images)
    assert made.identities.shape == (3, 3)
    total = sum(image.square().sum() for image in (*made.images, *made.parts, made.identities))
    total.backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_every_skip_and_the_coarser_image_reach_the_next_scale():
    net, source = GlobalPath((1, 32, 32), 1, 4, 3, 2).eval(), randn(1, 1, 32, 32)
    with torch.no_grad():
        net.spread[0].weight.zero_()  # the code says nothing: what is seen of the source came by skips
    for i, merge in enumerate(net.merge):
        layer = merge[0][0]
        whole = net(source, randn(1, 2))[0]
        own = layer.out_channels
        parts = {"skip": slice(own, 2 * own)} | ({"image": slice(2 * own, None)} if i < 2 else {})
        for name, share in parts.items():
            kept = layer.weight[:, share].detach().clone()
            with torch.no_grad():
                layer.weight[:, share] = 0
            assert not torch.equal(whole, net(source, randn(1, 2))[0]), (i, name)
            with torch.no_grad():
                layer.weight[:, share] = kept


def test_each_path_sees_its_patch_alone():
    part = face_parts(SIDES)[0]
    path = LocalPath(1, 1, part, 4).eval()
    source = randn(1, 1, 32, 32).requires_grad_()
    maps, image = path(source, points((20, 12)))
    (gradient,) = torch.autograd.grad(maps.sum() + image.sum(), source)
    rows, columns = gradient[0, 0].nonzero().T
    assert (int(rows.min()), int(rows.max())) == (7, 16)
    assert (int(columns.min()), int(columns.max())) == (15, 24)
