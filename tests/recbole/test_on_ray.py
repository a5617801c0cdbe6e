"""Trials run by Ray Tune give the same results as the same trials in sequence."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from sasrec.errors import SasrecError, SettingsError
from sasrec.recbole.hyper import HyperTuning
from sasrec.recbole.on_ray import import_ray, run_on_ray

SPACE = {"choice": {"depth": [1, 2, 3], "rate": [0.1, 0.2]}}


def objective(params: dict[str, Any], files: Sequence[str] | None) -> Mapping[str, Any]:
    if params.get("depth") == 3:
        raise SettingsError("too deep")
    score = params.get("depth", 1) + params["rate"]
    return {
        "best_valid_score": score,
        "valid_score_bigger": False,
        "best_valid_result": {"mrr@10": score},
        "test_result": {"mrr@10": score / 2},
    }


def test_without_ray_a_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SettingsError, match=r"pip install 'ray\[tune\]'"):
        import_ray()


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """A cluster of two nodes with one core each, on this machine."""
    ray, _ = pytest.importorskip("ray"), pytest.importorskip("ray.tune")
    from ray.cluster_utils import Cluster

    ray.cloudpickle.register_pickle_by_value(
        sys.modules[__name__]
    )  # workers cannot import the tests
    machines = Cluster()
    for _ in range(2):
        machines.add_node(num_cpus=1, include_dashboard=False)
    yield machines.address
    machines.shutdown()


def on_cluster(cluster: str, monkeypatch: pytest.MonkeyPatch, **words: Any) -> HyperTuning:
    monkeypatch.setenv("RAY_ADDRESS", cluster)
    search = HyperTuning(objective, **words)
    run_on_ray(search)
    return search


def test_every_combination_is_tried_once(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    on_ray = on_cluster(cluster, monkeypatch, params_dict=SPACE)
    plain = HyperTuning(objective, params_dict=SPACE)
    plain.run()
    assert on_ray.n_ended == 6
    assert on_ray.params2result == plain.params2result
    assert on_ray.best_params == plain.best_params == {"depth": 1, "rate": 0.1}
    assert on_ray.best_test_result == plain.best_test_result


def test_proposals_learn_from_results(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    space = {"uniform": {"rate": [0.0, 1.0]}}
    search = on_cluster(cluster, monkeypatch, params_dict=space, algo="bayes", max_evals=4)
    assert search.n_ended == len(search.params2result) == 4
    assert search.best_score == min(search.score_list)


def test_a_search_without_progress_ends(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    space = {"choice": {"rate": [0.1] * 30}}
    search = on_cluster(cluster, monkeypatch, params_dict=space, early_stop=2)
    assert search.n_ended == 3
    assert "2 trials in a row" in search.stopped_because


def test_if_every_trial_fails_the_last_error_is_raised(
    cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SasrecError, match="too deep"):
        on_cluster(cluster, monkeypatch, params_dict={"choice": {"depth": [3], "rate": [0.1]}})


def test_a_worker_that_dies_is_reported(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster)

    def dies(params: dict[str, Any], files: Sequence[str] | None) -> Mapping[str, Any]:
        return {"best_valid_score": 1 / 0}

    with pytest.raises(SasrecError, match=r"1 trial ended unexpectedly .*division by zero"):
        run_on_ray(HyperTuning(dies, params_dict={"choice": {"rate": [0.1]}}))
