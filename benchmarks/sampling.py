"""How fast autoregressive models draw: the cache against a full pass a draw, and against the arithmetic's floor.

    python benchmarks/sampling.py                                all recipes, and the gated PixelCNN at 7×64, binary
    python benchmarks/sampling.py gated-pixelcnn wavenet --batch 64 1 --levels 2 --set width=64 --set depth=7

Naive sampling makes a full pass for every draw: a pixel, or with outputs that are not joint a pixel and channel. Its
time is *taken as* one timed pass × the draws, since running it takes minutes. The floor is one full pass, in which all
arithmetic that an image needs is done once: cached / floor says how far from it a cache is. All ratios are of medians
in one process on so many threads (one, if nothing else is said), with random weights: weights do not change the
arithmetic, but they do change how many passes the fixed point takes.
"""

from __future__ import annotations

import argparse
import ast
import copy
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

import genbench
from families.autoregressive.model import AutoregressiveModel
from families.autoregressive.sampling import Task, draw_cached, draw_fixed_point
from genbench import DataSpec, catalog
from genbench.seed import fork_rng, generator, uniform

ISSUE = ("gated-pixelcnn", 2, {"width": 64, "depth": 7})
COLUMNS = (
    "recipe",
    "levels",
    "batch",
    "full pass, s",
    "naive, s (pass × draws)",
    "cached, s",
    "naive / cached",
    "cached, ms an image",
    "cached / floor",
    "fixed point, s",
    "its passes",
)


def randomise(model: torch.nn.Module) -> None:
    """Draw what begins at zero too: a model that is uniform to begin with has its fixed point after one pass."""
    with fork_rng(0), torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(std=0.1)


def median(work: Callable[[], object], repeats: int) -> float:
    """Seconds, the median of ``repeats`` behind one run that does not count."""
    work()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def measure(model: AutoregressiveModel, batch: int, repeats: int, fixed_point: bool) -> list[str]:
    """One row of the table, from ``batch`` on. The fixed point, which may take minutes, is run once."""
    shape, network = model.spec.shape, copy.deepcopy(model.network)
    uniforms = uniform((batch, model.output.uniforms(shape[0]), *shape[1:]), generator(0))
    task = Task(network, model.output, shape, uniforms)
    unit = task.unit(torch.randint(model.spec.levels, (batch, *shape), generator=generator(1)))
    draws = task.groups * shape[1] * shape[2]
    full = median(lambda: network(unit), repeats)
    cached = median(lambda: draw_cached(task), repeats)
    fixed = ["", ""]
    if fixed_point:
        passes: list[Tensor] = []
        network.register_forward_hook(lambda module, given, answer: passes.append(answer[:0]))
        start = time.perf_counter()
        draw_fixed_point(task)
        fixed = [f"{time.perf_counter() - start:.2f}", f"{len(passes)}"]
    return [
        f"{batch}",
        f"{full:.4f}",
        f"{full * draws:.1f}",
        f"{cached:.3f}",
        f"{full * draws / cached:.0f}",
        f"{1000 * cached / batch:.1f}",
        f"{cached / full:.2f}",
        *fixed,
    ]


def main() -> None:
    """Print the table."""
    names = [name for name, recipe in catalog.recipes().items() if recipe.family == "autoregressive"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", nargs="*", help=f"of {', '.join(names)}")
    parser.add_argument("--batch", type=int, nargs="+", default=[64, 1])
    parser.add_argument("--shape", type=int, nargs=3, default=[1, 28, 28], metavar=("C", "H", "W"))
    parser.add_argument("--levels", type=int, default=256)
    parser.add_argument("--set", action="append", default=[], metavar="OPTION=VALUE", dest="options")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--no-fixed-point", action="store_true", help="which takes longest")
    words = parser.parse_args()
    torch.set_num_threads(words.threads)
    options = {key: ast.literal_eval(value) for key, value in (word.split("=", 1) for word in words.options)}
    cases = [(name, words.levels, options) for name in words.recipe or names]
    if not words.recipe and not options:
        cases.append(ISSUE)
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}", flush=True)
    for name, levels, own in cases:
        model = genbench.build(name, DataSpec(tuple(words.shape), levels), **own).eval()
        randomise(model)
        called = " ".join([name, *(f"{key}={value}" for key, value in own.items())])
        for batch in words.batch:
            with torch.inference_mode():
                row = measure(model, batch, words.repeats, not words.no_fixed_point)
            print(f"| {' | '.join([called, str(levels), *row])} |", flush=True)


if __name__ == "__main__":
    main()
