"""How many cores inference may use, and its pool."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from edgerag import cores as cores_module
from edgerag.cores import cgroup_quota, usable_cores
from edgerag.inference.threads import Workers, worker_count
from edgerag.stopping import StoppedError, stoppable


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="ascii")


def test_quota_of_version_2_is_the_tightest_on_the_way_up(tmp_path: Path) -> None:
    own = tmp_path / "own"
    put(own, "0::/user/app\n")
    put(tmp_path / "user/app/cpu.max", "max 100000\n")
    put(tmp_path / "user/cpu.max", "150000 100000\n")
    put(tmp_path / "cpu.max", "400000 100000\n")
    assert cgroup_quota(tmp_path, own) == 1.5


def test_quota_of_version_1_is_read_where_the_container_sees_it(tmp_path: Path) -> None:
    own = tmp_path / "own"
    put(own, "5:cpuset:/\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/\n0::/\n")
    put(tmp_path / "cpu,cpuacct/cpu.cfs_quota_us", "50000\n")
    put(tmp_path / "cpu,cpuacct/cpu.cfs_period_us", "100000\n")
    assert cgroup_quota(tmp_path, own) == 0.5


@pytest.mark.parametrize("text", ["", "max 100000\n", "nonsense\n", "100000 0\n"])
def test_no_quota_is_none(tmp_path: Path, text: str) -> None:
    own = tmp_path / "own"
    put(own, "0::/\n")
    put(tmp_path / "cpu.max", text)
    assert cgroup_quota(tmp_path, own) is None


def test_a_system_without_control_groups_has_no_quota(tmp_path: Path) -> None:
    assert cgroup_quota(tmp_path, tmp_path / "absent") is None


@pytest.mark.parametrize(
    ("quota", "cores"), [(None, 8), (0.5, 1), (1.5, 2), (4.0, 4), (16.0, 8)], ids=lambda value: str(value)
)
def test_cores_are_limited_by_affinity_and_quota(
    monkeypatch: pytest.MonkeyPatch, quota: float | None, cores: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(cores_module, "cgroup_quota", lambda: quota)
    assert usable_cores() == cores


def test_a_number_of_threads_overrides_the_cores() -> None:
    assert worker_count(7) == 7
    assert worker_count(0) == usable_cores()
    with pytest.raises(ValueError, match="-1"):
        worker_count(-1)


def test_results_come_in_order_though_they_are_made_at_the_same_time() -> None:
    barrier = threading.Barrier(2, timeout=30)

    def double(number: int) -> int:
        barrier.wait()  # passes only when two calls run at once
        return number * 2

    workers = Workers(2)
    assert workers.map(double, [1, 2, 3, 4]) == [2, 4, 6, 8]
    workers.close()
    assert workers.map(double, [5, 6]) == [10, 12]
    workers.close()


def test_after_an_error_the_rest_is_not_begun() -> None:
    begun: list[int] = []
    release = threading.Event()

    def fail(number: int) -> int:
        begun.append(number)
        if number == 0:
            raise ValueError("first")
        release.wait(30)
        return number

    workers = Workers(2)
    with pytest.raises(ValueError, match="first"):
        workers.map(fail, range(1_000))
    release.set()
    workers.close()
    assert len(begun) <= 3


@pytest.mark.parametrize("count", [1, 2])
def test_once_the_stop_flag_is_set_no_further_item_is_begun(count: int) -> None:
    stop = threading.Event()
    begun: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        stop.set()
        return number

    workers = Workers(count)
    with stoppable(stop), pytest.raises(StoppedError):
        workers.map(work, range(1_000))
    workers.close()
    assert 1 <= len(begun) <= count


def test_a_stop_flag_ends_only_the_block_it_was_given_for() -> None:
    stop = threading.Event()
    stop.set()
    with stoppable(stop):
        pass
    assert Workers(1).map(str, [1, 2]) == ["1", "2"]
