"""The benchmark runner prints ratios, writes JSON and knows what it can run."""

import json
import sys
from types import SimpleNamespace

import pytest

import benchmarks.__main__ as runner
from benchmarks.timing import PairedTimes, paired_ratio, paired_times


def test_the_ratio_is_the_median_of_the_pairs():
    # The ratios are 2, 1/2 and 3: a ratio of medians or of sums would give another number.
    times = PairedTimes((2.0, 1.0, 30.0), (1.0, 2.0, 10.0))
    assert times.ratio == 2.0


def test_who_goes_first_alternates_after_one_unmeasured_call_each():
    calls = []
    paired_times(lambda: calls.append("ours"), lambda: calls.append("reference"), repeats=2)
    assert calls == ["ours", "reference", "ours", "reference", "reference", "ours"]


def test_no_repeats_are_refused():
    with pytest.raises(ValueError, match="at least one repeat, got 0"):
        paired_ratio(lambda: None, lambda: None, repeats=0)


def test_results_are_written_with_the_machine(tmp_path, monkeypatch, capsys):
    row = {"name": "solve", "ours_s": 2.0, "reference_s": 1.0, "ratio": 2.0, "limit": 1.5}
    fake = SimpleNamespace(run=lambda: {"rows": [row]})
    monkeypatch.setattr(runner, "found_benchmarks", lambda: ["fake"])
    monkeypatch.setitem(sys.modules, "benchmarks.fake", fake)
    assert runner.main(["fake", "--out", str(tmp_path / "results.json")]) == 0
    written = json.loads((tmp_path / "results.json").read_text())
    assert written["benchmarks"]["fake"]["rows"] == [row]
    assert written["machine"]["libraries"]["numpy"]
    assert "limit 1.5" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def test_an_unknown_name_is_refused_with_the_known_ones(capsys):
    with pytest.raises(SystemExit) as stopped:
        runner.main(["no_such_benchmark"])
    assert stopped.value.code == 2
    assert "import_time" in capsys.readouterr().err
