"""Searches that are put down and taken up again, and searches that others measure."""

import base64
import gzip
import json
import os
import subprocess
import sys
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.certify import Budget, Estimated, Proved, certify, contraction_rate, l2
from riemannian_modules.errors import (
    CertificateError,
    ConvergenceError,
    OutputError,
    RegionError,
    RiemannianError,
)
from riemannian_modules.search.boxes import pieces, subdivide
from riemannian_modules.search.boxes.search_state import fingerprint_of, load_search
from riemannian_modules.search.boxes.subdivide import partition
from tests.certify.branching_problems import Swirl, posed, same, swirl

TARGET = -0.8  # cannot be proved of the swirl, so every search ends by its budget
ENOUGH = Budget(boxes=1500, seconds=300.0)


@pytest.fixture(scope="module")
def posed_swirl():
    return swirl()


@pytest.fixture(scope="module")
def whole(posed_swirl):
    return partition(*posed_swirl, TARGET, ENOUGH)


@pytest.mark.parametrize("name", ["search.json", "search.json.gz"])
def test_a_search_in_three_sessions_gives_the_leaves_of_one(posed_swirl, whole, name, tmp_path):
    state, sessions = None, 0
    for boxes in (3, 700, 1500):
        save = tmp_path / name
        parts = partition(
            *posed_swirl, TARGET, Budget(boxes=boxes, seconds=300.0, save=save), resume=state
        )
        state, sessions = load_search(save), sessions + 1
        assert state.boxes == parts.state.boxes < whole.state.boxes or boxes == 1500
    assert same(parts, whole)
    is_packed = save.read_bytes()[:2] == b"\x1f\x8b"
    assert is_packed == name.endswith(".gz")


def test_a_search_goes_on_in_memory_too(posed_swirl, whole):
    early = partition(*posed_swirl, TARGET, Budget(boxes=300))
    assert early.state.boxes < 600
    assert same(partition(*posed_swirl, TARGET, ENOUGH, resume=early.state), whole)


@pytest.mark.parametrize("when", [1, 2, 9, 13])
def test_an_interrupted_search_keeps_its_work(posed_swirl, whole, when, monkeypatch):
    calls = []
    measured = pieces.measure

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == when:
            raise KeyboardInterrupt
        return measured(*arguments)

    monkeypatch.setattr(pieces, "measure", interrupted)
    parts = partition(*posed_swirl, TARGET, ENOUGH)
    assert parts.was_interrupted
    assert when > 2 or parts.state.boxes <= 3
    assert len(parts.cuts) == parts.state.boxes
    assert same(partition(*posed_swirl, TARGET, ENOUGH, resume=parts.state), whole)


def test_time_is_looked_at_between_the_pieces_of_a_batch(posed_swirl, whole, monkeypatch):
    monkeypatch.setattr(subdivide, "piece_size", lambda criterion: 8)
    alone = partition(*posed_swirl, TARGET, ENOUGH)
    clock, measured = [0.0], pieces.measure
    monkeypatch.setattr(pieces.time, "monotonic", lambda: clock[0])

    def slow(*arguments):
        clock[0] += 1.0
        return measured(*arguments)

    monkeypatch.setattr(pieces, "measure", slow)
    parts = partition(*posed_swirl, TARGET, Budget(boxes=1500, seconds=20.5))
    assert clock[0] == 21.0
    assert parts.state.queue.size  # it stopped within a batch
    monkeypatch.setattr(pieces.time, "monotonic", lambda: 0.0)
    assert same(partition(*posed_swirl, TARGET, ENOUGH, resume=parts.state), alone)


def test_another_problem_does_not_go_on_with_a_search(posed_swirl, tmp_path):
    save = tmp_path / "search.json"
    budget = Budget(boxes=20)
    partition(*posed_swirl, TARGET, Budget(boxes=20, save=save))
    others = {
        "target": (*posed_swirl, TARGET - 1e-9),
        "no target": (*posed_swirl, None),
        "system": (*swirl(2.0 + 2**-40), TARGET),
        "region": (*posed(Swirl(), rm.box(x=(-1, 1.5), u=(0, 3 + 1e-9))), TARGET),
        "norm": (
            *posed(Swirl(), rm.box(x=(-1, 1.5), u=(0, 3)), l2([[1, 0], [0, 1 + 1e-9]])),
            TARGET,
        ),
    }
    for other in others.values():
        with pytest.raises(RegionError, match="another problem"):
            partition(*other, budget, resume=load_search(save))
    again = partition(*swirl(), TARGET, budget, resume=load_search(save))
    assert again.state.boxes >= 20


@pytest.fixture(scope="module")
def saved(posed_swirl, tmp_path_factory):
    save = tmp_path_factory.mktemp("saved") / "search.json"
    partition(*posed_swirl, TARGET, Budget(boxes=60, save=save), question={"norm": [1.0, 2.0]})
    return save


def test_what_the_caller_asked_is_saved_along(saved):
    assert load_search(saved).question == {"norm": [1.0, 2.0]}


def test_a_search_file_cut_anywhere_is_refused(saved, tmp_path):
    cut = tmp_path / "cut.json"
    for content in (saved.read_bytes(), gzip.compress(saved.read_bytes())):
        for length in range(0, len(content), max(1, len(content) // 50)):
            cut.write_bytes(content[:length])
            with pytest.raises(CertificateError, match=r"cut\.json"):
                load_search(cut)


@pytest.mark.parametrize(
    ("key", "kind", "change"),
    [
        ("boxes", "<i4", lambda a: a[::-1]),
        ("boxes", "<i4", lambda a: np.where(np.arange(len(a)) == 3, a[2], a)),
        ("boxes", "<i4", lambda a: a - 1),
        ("axes", "<i2", lambda a: a + 7),
        ("axes", "<i2", lambda a: a[:-1]),
        ("places", "<f8", lambda a: a * np.nan),
        ("places", "<f8", lambda a: a + 50),
        ("bounds", "<f8", lambda a: a * np.nan),
        ("bounds", "<f8", lambda a: a[:-2]),
        ("queue", "<i4", lambda a: np.array([0])),
        ("queue", "<i4", lambda a: np.array([10_000])),
        ("upper", "<f8", lambda a: a[:-1]),
        ("point", "<f8", lambda a: a[:-1]),
        ("sampled", "<f8", lambda a: a[:0]),
    ],
)
def test_an_inconsistent_search_file_is_refused(saved, tmp_path, key, kind, change):
    data = json.loads(saved.read_text())
    values = np.frombuffer(base64.b64decode(data[key]), dtype=kind)
    data[key] = base64.b64encode(np.asarray(change(values)).astype(kind).tobytes()).decode()
    path = tmp_path / "edited.json"
    path.write_text(json.dumps(data))
    with pytest.raises(RiemannianError, match=r"edited\.json"):
        load_search(path)


@pytest.mark.parametrize(
    ("key", "value"), [("upper", [1.5, 1.5, 2.5]), ("lower", [0, 0, 0]), ("point", [1, 1, 3.25])]
)
def test_a_search_whose_file_left_the_region_does_not_go_on(
    saved, tmp_path, posed_swirl, key, value
):
    data = json.loads(saved.read_text())
    data[key] = base64.b64encode(np.array(value, dtype="<f8").tobytes()).decode()
    path = tmp_path / "edited.json"
    path.write_text(json.dumps(data))
    with pytest.raises(RiemannianError, match=r"edited\.json|resume"):
        partition(*posed_swirl, TARGET, ENOUGH, resume=load_search(path))


@pytest.mark.parametrize(
    "content", ["", "[]", "3", "{}", '{"format": "riemannian-modules search"}']
)
def test_what_is_no_search_is_refused(content, tmp_path):
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(CertificateError, match=r"other\.json"):
        load_search(path)
    with pytest.raises(CertificateError, match="missing"):
        load_search(tmp_path / "missing.json")


def test_a_file_that_cannot_be_written_is_said(posed_swirl, tmp_path):
    with pytest.raises(OutputError):
        partition(*posed_swirl, TARGET, Budget(boxes=5, save=tmp_path / "no" / "search.json"))


def test_threads_find_the_same_bit_for_bit(posed_swirl, whole, monkeypatch):
    with ThreadPoolExecutor(3) as executor:
        budget = Budget(boxes=1500, seconds=300.0, executor=executor)
        assert same(partition(*posed_swirl, TARGET, budget), whole)


@pytest.mark.slow
def test_processes_find_the_same_bit_for_bit(posed_swirl, monkeypatch):
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    # Small pieces, so that each batch has many, which end in any order.
    monkeypatch.setattr(subdivide, "piece_size", lambda criterion: 16)
    alone = partition(*posed_swirl, TARGET, ENOUGH)
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        budget = Budget(boxes=1500, seconds=300.0, executor=executor)
        assert same(partition(*posed_swirl, TARGET, budget), alone)


@pytest.mark.slow
def test_a_dask_cluster_finds_the_same_bit_for_bit(posed_swirl, monkeypatch):
    distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed")
    monkeypatch.setattr(subdivide, "piece_size", lambda criterion: 16)
    alone = partition(*posed_swirl, TARGET, ENOUGH)
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    )
    with cluster, distributed.Client(cluster) as client:
        budget = Budget(boxes=1500, seconds=300.0, executor=client.get_executor())
        assert same(partition(*posed_swirl, TARGET, budget), alone)


class Breaking(Executor):
    """Does five tasks and breaks."""

    done = 0

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        self.done += 1
        if self.done > 5:
            future.set_exception(BrokenExecutor("a worker died"))
        else:
            future.set_result(fn(*args, **kwargs))
        return future


def test_the_work_of_an_executor_that_breaks_is_kept(posed_swirl, tmp_path, monkeypatch):
    monkeypatch.setattr(subdivide, "piece_size", lambda criterion: 8)
    save = tmp_path / "search.json"
    broken = Budget(boxes=1500, seconds=300.0, executor=Breaking(), save=save)
    with pytest.raises(ConvergenceError, match="a worker died"):
        partition(*posed_swirl, TARGET, broken)
    state = load_search(save)
    assert state.boxes > 50
    alone = partition(*posed_swirl, TARGET, ENOUGH)
    assert same(partition(*posed_swirl, TARGET, ENOUGH, resume=state), alone)


SCRIPT = """
from riemannian_modules.certify import Budget
from riemannian_modules.search.boxes.search_state import fingerprint_of
from riemannian_modules.search.boxes.subdivide import partition
from tests.certify.branching_problems import swirl
problem, criterion = swirl()
parts = partition(problem, criterion, -0.8, Budget(boxes=200, seconds=300.0))
print(fingerprint_of(problem, criterion, -0.8), parts.bounds.tobytes().hex(), parts.cuts)
"""


def test_results_do_not_depend_on_the_hashing_of_a_process():
    root = Path(__file__).parents[2]
    found: set[str] = set()
    for seed in ("1", "2"):
        path = f"{root}:{root / 'adapters'}"
        run = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=True,
            cwd=root,
        )
        found.add(run.stdout)
    assert len(found) == 1
    assert fingerprint_of(*swirl(), -0.8) in found.pop()


class Whirl(rm.Flow):
    """Two states whose products enter sines: no single box proves its rate."""

    state = rm.space("x y")

    def equations(self, x, u, p):
        a, b = np.sin(x.x * x.y), np.cos(x.x - x.y**2)
        return {"x": -4 * x.x + a + 0.5 * b, "y": -4 * x.y + b - 0.5 * a}


def test_certify_goes_on_from_its_answer_and_from_its_file(tmp_path):
    question = (Whirl(), rm.box(x=(-1, 1), y=(-1, 1)))
    best = -contraction_rate(*question, norm=l2(np.eye(2))).rate
    asked = {"norm": l2(np.eye(2)), "rate": 0.999 * best}
    file = tmp_path / "search.json.gz"
    early = certify(*question, **asked, budget=Budget(boxes=20, save=file))
    assert isinstance(early, Estimated)
    assert early.search.boxes >= 20
    whole = certify(*question, **asked)
    for kept in (file, load_search(file), early.search):
        later = certify(*question, rate=asked["rate"], resume=kept)
        assert isinstance(later, Proved)
        assert later.certificate.data == whole.certificate.data
    with pytest.raises(RegionError):
        certify(Whirl(), rm.box(x=(-1, 2), y=(-1, 1)), rate=asked["rate"], resume=file)
