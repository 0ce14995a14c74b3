"""Studies on a Ray cluster of two local nodes: the same runs, and a lost node loses no finished run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.plugins.conftest import MEMBERS, forget

from manyheads import plugins
from manyheads.studies.cells import Cell, cells_of, read_error, state_of
from manyheads.studies.cluster import run_on_ray
from manyheads.studies.load import load_study
from manyheads.studies.run import run_local

ray_cluster = pytest.importorskip("ray.cluster_utils", reason="the extra `ray` is not installed")

# Ray leaves sockets and processes to the garbage collector when a cluster is shut down.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    # Ray runs its workers at niceness 15. Next to other tests they would get almost no processor time.
    monkeypatch.setenv("RAY_worker_niceness", "0")
    started = ray_cluster.Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, "object_store_memory": 10**8}
    )
    yield started
    started.shutdown()


def run(cells: list[Cell], cluster: Any, received: list[tuple[str, dict[str, Any]]], after: Any = None) -> bool:
    def notify(event: str, **fields: Any) -> None:
        received.append((event, fields))
        if after is not None:
            after(event)

    return run_on_ray(cells, address=cluster.address, notify=notify, keep_models=False)


def test_two_nodes_give_the_bytes_of_local_processes_and_a_lost_node_loses_no_finished_run(
    cluster: Any, tiny_study: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    second = cluster.add_node(num_cpus=1, object_store_memory=10**8)
    tiny_study.write_text(tiny_study.read_text() + '[rows.broken]\nencoder = "missing/encoder"\n')
    # The workers of both nodes need a member from outside the package.
    plugins.load([MEMBERS / "scaled.py"])
    request.addfinalizer(forget)
    plan = load_study(tiny_study, ['training.weighting={ kind = "scaled", scale = 0.5 }'])
    cells = list(cells_of(plan, tmp_path / "ray"))
    received: list[tuple[str, dict[str, Any]]] = []
    lost: list[str] = []

    def lose_a_node(event: str) -> None:
        if event == "cell_done" and not lost:
            lost.append(event)
            cluster.remove_node(second, allow_graceful=False)

    assert run(cells, cluster, received, lose_a_node) == 0
    events = [event for event, _ in received]
    assert lost
    assert events.count("cell_done") == 4
    assert events.count("cell_failed") == 2
    assert [state_of(cell) for cell in cells] == ["failed" if cell.row == "broken" else "done" for cell in cells]
    assert all("missing/encoder" in read_error(cell.error_file)["error"] for cell in cells if cell.row == "broken")

    local = [cell for cell in cells_of(plan, tmp_path / "local") if cell.row == "plain"][:1]
    assert run_local(local, jobs=1, notify=lambda _event, **_fields: None, keep_models=False) == 0
    other = next(cell for cell in cells if (cell.row, cell.seed) == (local[0].row, local[0].seed))
    for file in sorted((local[0].folder / "predictions").iterdir()):
        assert file.read_bytes() == (other.folder / "predictions" / file.name).read_bytes()
