"""The page's columns and their notes: letters in the order that one sees; what data sets share, in each's pictures."""

import re

from genbench.records.parts import Agreement
from genbench.tables import page as report
from genbench.tables.view import View
from tests.records import anchor, collapse, likelihood, quality, record, run


def heads(text):
    """Each heading of the first table: its letter, empty for none, and whether it is hidden at first."""
    first = text.partition("</thead>")[0]
    found = re.findall(r"<th scope=\"col\"([^>]*)>[^<]*(?:<sup>(\w+)</sup>)?</th>", first)
    return [(letter, "data-hidden" in attributes) for attributes, letter in found]


def test_letters_are_in_the_order_of_the_columns_shown_at_first_and_hidden_ones_come_after(tmp_path):
    asked = Agreement(agreement=0.87, standard_error=0.01, confidence=0.8, entropy=0.9, class_entropy=3.2, accuracy=0.9)
    figures = {"quality": quality(density=1.0, coverage=0.5), "agreement": asked, "collapse": collapse()}
    cells = [record(label, **figures) for label in ("vae", "nice")]
    text = report.write(run(tmp_path, cells)).read_text()
    shown = [letter for letter, hidden in heads(text) if letter and not hidden]
    others = [letter for letter, hidden in heads(text) if letter and hidden]
    assert shown == list("abcdefghijkl"[: len(shown)])
    assert len(others) > 1, "density stands before agreement, collapse behind it"
    assert min(others) > max(shown)
    notes = re.findall(r"<li><sup>(\w+)</sup>", text.partition("</ul>")[0])
    assert list(dict.fromkeys(notes)) == sorted({*shown, *others})


def test_the_page_without_notes_has_no_letters(tmp_path):
    text = report.write(run(tmp_path, [record("vae")]), View.of(notes="none")).read_text()
    assert not any(letter for letter, _ in heads(text))
    assert '<ul class="notes">' not in text


def test_effort_is_said_of_estimates_by_chains_alone(tmp_path):
    ways = [("exact", "chain rule"), ("bound", "elbo"), ("estimate", "direct"), ("estimate", "ais")]
    cells = [record(how, test=likelihood(kind=kind, method=how)) for kind, how in ways]
    text = report.write(run(tmp_path, cells)).read_text()
    assert "Exact, by chain rule\n" in text
    assert "An estimate, by direct\n" in text
    assert "An estimate, by ais, effort fast\n" in text
    assert "elbo, effort" not in text


def test_each_data_set_has_the_pictures_and_the_scale_of_anchors_that_stand_once(tmp_path):
    real = [anchor("real (test)", dataset=name, quality=quality(9.0)) for name in ("a", "b")]
    folder = run(tmp_path, [*(record("vae", dataset=name) for name in "ab"), *real])
    text = report.write(folder).read_text()
    first, second = text.split('<section id="data-')[1:]
    for part, times in ((first, 1), (second, 0)):
        assert part.count('<a href="#table-1-row-1">real (test)</a>') == times, "once in the tables"
        assert part.count('alt="Samples of real (test)"') == 1
        assert re.search(r"<text[^>]*>real \(test\)</text>", part), "beside the dashed line of the scatter"


def test_each_data_set_has_such_anchors_in_its_figures_too(tmp_path, monkeypatch):
    real = [anchor("real (test)", dataset=name, quality=quality(9.0)) for name in ("a", "b")]
    folder = run(tmp_path, [*(record("vae", dataset=name) for name in "ab"), *real])
    drawn = {}
    monkeypatch.setattr(report, "files", lambda draw, data, stem: drawn.update({stem.name: data}) or [])
    report.figures(folder)
    for name in "ab":
        assert [row["label"] for row in drawn[f"{name}-scatter"]] == ["vae", "real (test)"]
        assert [label for label, _ in drawn[f"{name}-samples"]] == ["real (test)", "vae"]
