import pytest
import torch

from genbench.metrics import speed as module
from genbench.metrics.speed import speed


class Clock:
    """A draw of known cost on a clock of its own."""

    def __init__(self, monkeypatch, cost):
        self.now, self.cost, self.calls, self.events = 0.0, cost, [], []
        monkeypatch.setattr(module, "perf_counter", lambda: self.now)
        monkeypatch.setattr(module, "_wait", lambda device: self.events.append("wait"))

    def __call__(self, n):
        self.events.append("draw")
        self.calls.append(n)
        self.now += self.cost(n, self.calls.count(n))
        return torch.zeros(n, 1, 2, 2, dtype=torch.uint8)


def test_latency_and_throughput_are_those_of_the_draw(monkeypatch):
    clock = Clock(monkeypatch, lambda n, call: 0.01 + 0.001 * n)
    result = speed(clock)
    assert result.latency_ms == pytest.approx(11)
    assert result.images_per_second == pytest.approx(64 / 0.074)
    assert result.best_batch == 512
    assert result.best_images_per_second == pytest.approx(512 / 0.522)
    assert result.runs >= 5


def test_a_batch_that_is_too_large_is_not_the_best(monkeypatch):
    result = speed(Clock(monkeypatch, lambda n, call: 0.001 + n * (0.0001 if n <= 128 else 0.001)))
    assert (result.best_batch, result.best_images_per_second) == (128, pytest.approx(128 / 0.0138))


def test_median_and_quartiles_of_five_runs(monkeypatch):
    times = {3: 3.0, 4: 1.0, 5: 2.0, 6: 9.0, 7: 4.0}  # by call: the first two are warm-ups
    clock = Clock(monkeypatch, lambda n, call: times.get(call, 8.0) if n == 1 else 6.4)
    result = speed(clock)
    assert result.runs == 5
    assert result.latency_ms == pytest.approx(3000)
    assert result.latency_quartiles == pytest.approx((2000, 4000))
    assert result.throughput_quartiles == pytest.approx((10, 10))


def test_warm_ups_do_not_count(monkeypatch):
    result = speed(Clock(monkeypatch, lambda n, call: 5.0 if call <= 2 else 0.5))
    assert result.latency_quartiles == pytest.approx((500, 500))
    assert result.throughput_quartiles == pytest.approx((128, 128))


def test_a_slow_draw_still_gets_five_runs_and_no_search(monkeypatch):
    clock = Clock(monkeypatch, lambda n, call: 3.0)
    result = speed(clock, seconds=10)
    assert result.runs == 5
    assert set(clock.calls) == {1, 64}


def test_a_run_beyond_the_cap_is_timed_once_and_the_record_says_so(monkeypatch):
    result = speed(Clock(monkeypatch, lambda n, call: 0.5 * n), seconds=10)
    assert result.runs == 1
    assert result.images_per_second == pytest.approx(2)
    assert result.throughput_quartiles == pytest.approx((2, 2))


@pytest.mark.parametrize("cost", [0.0002, 0.002, 0.02])
def test_a_draw_that_has_time_for_its_five_runs_ends_within_the_cap(monkeypatch, cost):
    clock = Clock(monkeypatch, lambda n, call: cost * n)
    result = speed(clock, seconds=10)
    assert clock.now <= 10
    assert result.runs >= 5


def test_quick_draws_are_timed_more_often(monkeypatch):
    result = speed(Clock(monkeypatch, lambda n, call: 0.001))
    assert result.runs == module.MOST_RUNS


def test_the_device_is_waited_for_before_each_reading_of_the_clock(monkeypatch):
    clock = Clock(monkeypatch, lambda n, call: 3.0)
    speed(clock)
    assert clock.events == ["wait", "draw", "wait"] * 14


def test_drawing_happens_in_inference_mode():
    modes = []

    def draw(n):
        modes.append(torch.is_inference_mode_enabled())
        return torch.zeros(n, 1, 1, 1, dtype=torch.uint8)

    speed(draw, seconds=0.2)
    assert all(modes)


@pytest.mark.parametrize(
    "draw", [lambda n: torch.zeros(n, 1, 2, 2), lambda n: torch.zeros(n + 1, 1, 2, 2, dtype=torch.uint8)]
)
def test_conversion_to_bytes_belongs_to_the_draw(draw):
    with pytest.raises(ValueError, match=r"draw\(1\).*give 1 of uint8"):
        speed(draw)


def test_a_cap_of_nothing_is_refused():
    with pytest.raises(ValueError, match="seconds=0"):
        speed(lambda n: torch.zeros(n), seconds=0)
