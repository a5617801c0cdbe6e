"""Comparisons: statistics against other libraries, results against their parts."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from sasrec.comparison.compare import compare_models, run_settings
from sasrec.comparison.entries import (
    Comparison,
    Measured,
    Timing,
    entries_of,
    timing_of,
)
from sasrec.comparison.remarks import remarks_on
from sasrec.comparison.report import as_csv, draw_comparison
from sasrec.comparison.start import compare
from sasrec.data.corpus import Corpus
from sasrec.data.sources import load_corpus
from sasrec.data.splits import leave_one_out
from sasrec.errors import DataError, Interrupted, SettingsError, SeveralMistakesError
from sasrec.evaluation.significance import (
    bootstrap_interval,
    holm,
    one_sided_p_value,
    paired_p_value,
)
from sasrec.evaluation.slices import _thirds, slices_of
from sasrec.models.popularity import item_counts
from sasrec.settings.files import Layer
from sasrec.settings.origin import PYTHON, Origin
from sasrec.settings.registry import MODELS
from sasrec.settings.resolve import resolve_settings
from sasrec.training.progress import LogObserver

FAST = {"epochs": 2, "metrics": ("ndcg", "hit"), "topk": (5,), "valid_metric": "ndcg@5"}


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return load_corpus("synthetic:users=120,items=40", resolve_settings().data)


def test_the_bootstrap_is_scipys() -> None:
    values = np.random.default_rng(0).exponential(size=300)
    ours = bootstrap_interval(values, draws=5000)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=5000, method="percentile", rng=1
    ).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.02)
    assert bootstrap_interval(values) == bootstrap_interval(values)
    assert all(np.isnan(bootstrap_interval(np.zeros(0))))


def test_about_95_percent_of_intervals_contain_the_true_mean() -> None:
    generator = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        low, high = bootstrap_interval(generator.normal(size=60), draws=300)
        held += low <= 0 <= high
    assert 175 <= held <= 199  # 190 of 200, give or take five standard errors


def test_the_paired_test_finds_a_difference_an_unpaired_test_misses() -> None:
    generator = np.random.default_rng(0)
    one = generator.random(100)
    other = one + 0.01 + generator.normal(scale=0.01, size=100)
    assert paired_p_value(one, other) < 1e-6
    assert stats.ttest_ind(one, other).pvalue > 0.5
    assert paired_p_value(one, one) == 1
    assert np.isnan(paired_p_value(one[:1], other[:1]))


def test_nan_stays_nan() -> None:
    found = holm({"a": float("nan"), "b": 0.04, "c": 0.03})
    assert np.isnan(found["a"])
    assert (found["b"], found["c"]) == (0.06, 0.06)


def test_holm_by_hand() -> None:
    found = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.5})
    assert found == pytest.approx({"a": 0.04, "c": 0.09, "b": 0.09, "d": 0.5})
    assert list(found) == ["a", "b", "c", "d"]
    assert holm({}) == {}


def test_models_are_compared_on_the_same_cases(corpus: Corpus, tmp_path: Path) -> None:
    found = compare_models(
        corpus,
        ["SASRec", "FPMC"],
        settings=[Layer(PYTHON, FAST)],
        seeds=[1, 2],
        observer=lambda model, seed: LogObserver(),
    )
    names = {entry.model for entry in found.entries}
    [recent] = names - {"SASRec", "FPMC", "Popularity", "Markov"}
    assert recent.startswith("Popularity ")
    means = [entry.means["ndcg@5"] for entry in found.entries]
    assert means == sorted(means, reverse=True)
    for entry in found.entries:
        low, high = entry.intervals["ndcg@5"]
        assert low <= entry.means["ndcg@5"] <= high
        trained = entry.model in {"SASRec", "FPMC"}
        assert (entry.parameters > 0) == trained
        assert np.isfinite(entry.spread["ndcg@5"]) == trained
        whole = [part for part in entry.slices if part.startswith("history")]
        mean = sum(entry.slices[part] * found.slice_sizes[part] for part in whole) / 120
        assert mean == pytest.approx(entry.means["ndcg@5"])
    assert found.entries[0].p_value == 1
    rows = list(csv.DictReader(io.StringIO(as_csv(found))))
    assert [row["model"] for row in rows] == [entry.model for entry in found.entries]
    assert float(rows[0]["ndcg@5"]) == means[0]
    assert json.loads(json.dumps(found.as_json(), allow_nan=False))["seeds"] == [1, 2]
    draw_comparison(found, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def compared(**ranks: list[int]) -> Comparison:
    """Return a comparison of models with these ranks on the same cases."""
    measured = {name: Measured([np.array(own)]) for name, own in ranks.items()}
    baselines = ["Popularity", "Markov"]
    entries = entries_of(measured, ("ndcg@5", "hit@1"), {}, baselines=baselines)
    dataset = {"name": "films", "users": 4, "items": 9, "interactions": 1}
    return Comparison(dataset, "full ranking", (1,), ("ndcg@5", "hit@1"), entries, {}, ("low",))


def test_named_models_are_compared_with_each_other_if_a_baseline_wins() -> None:
    ranks = {"SASRec": [1, 2, 3, 4], "FPMC": [2, 3, 3, 9], "BPR": [9, 9, 3, 2]}
    found = compared(**ranks, Markov=[1, 1, 1, 2])
    without = compared(**ranks)
    named = {entry.model: entry.p_value for entry in without.entries}
    assert {e.model: e.p_value_named for e in found.entries if not e.is_baseline} == named
    assert np.isnan(found.entries[0].p_value_named)
    assert found.as_json()["entries"][0]["p_value_named"] is None
    text = f"FPMC {named['FPMC']:.1g}, BPR {named['BPR']:.1g}"
    assert "p: paired t-test of ndcg@5 against Markov over test cases" in str(found)
    assert "without the baselines, SASRec is the best; p of the same test against it" in str(found)
    assert text in str(found)
    assert "without the baselines" not in str(without)
    assert "without the baselines" not in str(compared(SASRec=[2], Markov=[1]))


def test_a_comparison_is_printed_as_a_table() -> None:
    found = compared(SASRec=[1, 1, 2], Markov=[1, 2, 9])
    lines = str(found).splitlines()
    assert lines[:2] == ["films: 4 users, 9 items, 1 interaction", "full ranking"]
    assert lines[3].split() == ["model", "ndcg@5", "hit@1", "95", "%", "of", "ndcg@5", "p"]
    assert lines[4].split()[:3] == ["SASRec", "0.8770", "0.6667"]
    assert len(lines[3]) == len(lines[5])
    assert lines[-1] == "note: low"
    assert repr(found) == "<Comparison on films, ndcg@5: SASRec 0.8770, Markov 0.5436>"


def test_a_setting_applies_to_the_models_that_have_it() -> None:
    models = ["SASRec", "GRU4Rec"]
    settings = [
        Layer(Origin("file", "a.yaml"), {"num_layers": 2, "epochs": 9}),
        Layer(PYTHON, {"n_layers": 3}),
    ]
    settings.append(Layer(PYTHON, {"epochs": 4}))
    sasrec, gru = (run_settings(name, settings, models) for name in models)
    assert (sasrec.model.n_layers, gru.model.num_layers) == (3, 2)  # type: ignore[attr-defined]
    assert sasrec.training.epochs == gru.training.epochs == 4
    assert (sasrec.preset, gru.preset) == ("best", None)
    with pytest.raises(SettingsError, match="unknown key 'num_layer'; did you mean 'num_layers'"):
        run_settings("GRU4Rec", [Layer(PYTHON, {"num_layer": 2})], models)
    with pytest.raises(SettingsError, match=r"unknown key 'num_layer' in a.yaml, line 3; did"):
        run_settings(
            "GRU4Rec", [Layer(Origin("file", "a.yaml"), {"num_layer": 2}, {"num_layer": 3})], models
        )


def test_slices_partition_the_cases(corpus: Corpus) -> None:
    split = leave_one_out(corpus.sequences)
    slices = slices_of(split, item_counts(split, len(corpus.items)))
    for what in {name.split()[0] for name in slices} - {"target"}:
        parts = np.stack([mask for name, mask in slices.items() if name.startswith(what)])
        assert (parts.sum(0) == 1).all()
    targets = np.stack([mask for name, mask in slices.items() if name.startswith("target")])
    assert (targets.sum(0) == 1).all()


def test_a_metric_that_is_no_mean_over_cases_is_refused(corpus: Corpus) -> None:
    with pytest.raises(SettingsError, match="metric 'giniindex' is not a mean over test cases"):
        compare_models(
            corpus,
            ["FPMC"],
            settings=[Layer(PYTHON, {**FAST, "metrics": ("giniindex",)})],
            seeds=[1],
            observer=lambda model, seed: LogObserver(),
        )


def test_the_timing_of_a_saved_model_is_read_from_its_folder():
    epochs = [{"epoch": 1, "seconds": 2.0}, {"epoch": 2, "seconds": 3}]
    known = {"epochs": epochs, "best_epoch": 1}
    assert timing_of(known) == Timing([2.0, 3.0], 1)
    odd = [
        {},
        known | {"best_epoch": 3},
        known | {"best_epoch": None},
        known | {"epochs": None},
        known | {"epochs": [{"seconds": "long"}]},
        known | {"epochs": [{"seconds": float("nan")}]},
        known | {"epochs": [[1]]},
        known | {"epochs": []},
    ]
    assert [timing_of(each) for each in odd] == [None] * len(odd)


def test_parts_by_counts_have_integer_bounds():
    parts = _thirds("history of", np.array([1, 2, 4, 8, 20_000, 40_000, 80_000]), "events")
    assert list(parts) == [
        "history of up to 4 events",
        "history of 5 to 20,000 events",
        "history of more than 20,000 events",
    ]
    shares = _thirds("user with", np.array([0.5488, 1.3, 3.0, 80.0]), "events a day")
    assert list(shares) == [
        "user with up to 1.3 events a day",
        "user with 1.3 to 3 events a day",
        "user with more than 3 events a day",
    ]
    assert list(_thirds("target with", np.array([1, 2, 3]), "training events")) == [
        "target with up to 1 training events",
        "target with 2 training events",
        "target with more than 2 training events",
    ]


def test_models_measured_on_different_cases_are_refused() -> None:
    measured = {"A": Measured([np.array([1, 2, 3])]), "B": Measured([np.array([1, 2])])}
    with pytest.raises(DataError, match=r"different numbers of test cases \(2, 3\)"):
        entries_of(measured, ("ndcg@5",), {})


def test_models_worse_than_counts_and_unknown_p_values_are_remarked() -> None:
    one = {
        "SASRec": Measured([np.array([9])]),
        "FPMC": Measured([np.array([1])]),
        "Markov": Measured([np.array([2])]),
    }
    found = remarks_on(entries_of(one, ("ndcg@5",), {}), "ndcg@5", ["Popularity", "Markov"])
    assert found[0].startswith(
        "SASRec ranks worse than the Markov baseline: ndcg@5 is 0.0000, below"
    )
    assert found[1].startswith("p of Markov, SASRec is unknown")
    assert len(found) == 2


def test_one_sided_p_values_are_scipys_and_unknown_without_spread() -> None:
    ours, baseline = [0.3, 0.5, 0.4], [0.2, 0.1, 0.35]
    expected = stats.ttest_rel(ours, baseline, alternative="greater").pvalue
    assert one_sided_p_value(ours, baseline) == pytest.approx(expected)
    assert np.isnan(one_sided_p_value(ours, ours))
    assert np.isnan(one_sided_p_value([1.0], [0.0]))


def test_ctrl_c_in_python_ends_without_a_comparison(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*given: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sasrec.comparison.trainings.train_model", stop)
    with pytest.raises(Interrupted, match="before it had a result; no training was finished"):
        compare_models(
            corpus,
            ["FPMC"],
            settings=[Layer(PYTHON, FAST)],
            seeds=[1],
            observer=lambda model, seed: LogObserver(),
        )


def test_mistakes_in_models_protocol_settings_and_folder_are_reported_together(
    tmp_path: Path,
) -> None:
    (tmp_path / "comparison.json").write_text("{}")
    settings = {"epochs": 0, "num_layer": 2}
    with pytest.raises(SeveralMistakesError) as caught:
        compare("x", "BPR,GRU4Rec,nope", settings, protocol="ful", out=tmp_path)  # type: ignore[arg-type]
    assert [text.partition(";")[0] for text in caught.value.mistakes] == [
        "unknown model 'nope' (known: " + ", ".join(MODELS) + ")",
        "unknown protocol 'ful'",
        "unknown key 'num_layer' in the settings given",
        "the settings given: epochs is 0: it must be at least 1",
        f"{tmp_path} already holds a comparison",
    ]


def test_no_model_is_a_mistake_whose_text_names_no_option() -> None:
    with pytest.raises(SettingsError, match=r"^no model to train or load is given; give names"):
        compare("x", [])
