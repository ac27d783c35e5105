import torch

from families.gan.heads import JointHead
from genbench import Batch


def test_the_joint_head_multiplies_image_and_label_in_its_hidden_layer():
    source = torch.Generator().manual_seed(0)
    logit = torch.randn(5, dtype=torch.float64, generator=source)
    features = torch.randn(5, 6, dtype=torch.float64, generator=source)
    labels = torch.tensor([0, 1, 2, 1, 0])
    head = JointHead(6, 3, 4).double()
    last = head.joint[1]
    hidden = (features @ head.image.weight.T + head.image.bias) * head.label.weight[labels]
    leaked = torch.where(hidden > 0, hidden, 0.2 * hidden)
    wanted = logit + leaked @ last.weight[0] + last.bias
    torch.testing.assert_close(head(logit, features, Batch(torch.zeros(5, 0), labels)), wanted)


def test_a_label_of_nothing_silences_the_image_in_the_joint_layer():
    head = JointHead(6, 3, 4)
    with torch.no_grad():
        head.label.weight[1] = 0
    scores = head(torch.zeros(8), torch.randn(8, 6), Batch(torch.zeros(8, 0), torch.ones(8, dtype=torch.int64)))
    torch.testing.assert_close(scores, head.joint[1].bias.expand(8))
