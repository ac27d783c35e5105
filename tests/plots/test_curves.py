"""What curves show of validation images beside the losses."""

import re

import numpy as np

from genbench.plots.curves import draw_curves


def test_figures_of_validation_images_have_a_scale_of_their_own_that_the_legend_says(tmp_path):
    steps = np.arange(1.0, 101)
    looks = np.where(steps % 10 == 0, 300 - steps, np.nan)
    whole = {"images": steps, "model/loss": np.exp(-steps / 20), "validation/fid": looks}
    draw_curves({"a": whole, "b": whole | {"validation/fid": steps * np.nan}}, tmp_path / "c.svg")
    drawn = (tmp_path / "c.svg").read_text()
    assert "<!-- validation/fid, 200 to 290 -->" in drawn
    assert "<!-- validation/fid -->" in drawn
    draw_curves({"a": {name: values for name, values in whole.items() if name != "validation/fid"}}, tmp_path / "d.svg")
    ticks = [re.findall(r"<!-- (−?[\d.]+) -->", path.read_text()) for path in (tmp_path / "c.svg", tmp_path / "d.svg")]
    assert {*ticks[1]} <= {*ticks[0]}, "the losses' scale is the losses'"
