"""The baseline of recent popularity counts the training events of a window, and none of later."""

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import sasrec
from sasrec.data.corpus import Corpus
from sasrec.data.make_split import make_split
from sasrec.data.sources import load_corpus
from sasrec.errors import DataError, SettingsError
from sasrec.evaluation.scoring import last_scores
from sasrec.experiment.measuring import is_baseline
from sasrec.experiment.prepared import Prepared, prepare
from sasrec.experiment.recent_baseline import recent_popularity
from sasrec.models.recent_popularity import STEPS, RecentPopularity, fit_recent_popularity
from sasrec.models.recent_windows import windows_for
from sasrec.settings.data import DataSettings
from sasrec.settings.evaluation import EvaluationSettings
from sasrec.settings.resolve import resolve_settings

DAY = 86_400
BEGIN = 1_700_000_000


def corpus(rows: list[tuple[str, str, float]], **settings: object) -> Corpus:
    frame = pl.DataFrame(
        rows, schema={"user_id": pl.String, "item_id": pl.String, "timestamp": float}, orient="row"
    )
    return load_corpus(frame, DataSettings(**settings))


def prepared(rows: list[tuple[str, str, float]], **settings: object) -> Prepared:
    return prepare(corpus(rows), resolve_settings(settings))


def shop(days: int = 60) -> list[tuple[str, str, float]]:
    """Return a log in which every week has its own favourite."""
    generator = np.random.default_rng(0)
    rows = []
    for user in range(150):
        for day in np.sort(generator.choice(days, 5, replace=False)):
            weekly = generator.random() < 0.7
            item = f"week{day // 7}" if weekly else f"other{generator.integers(30)}"
            rows.append((f"u{user}", item, BEGIN + float(day) * DAY))
    return rows


times = st.lists(st.integers(0, 40), min_size=4, max_size=12).map(sorted)


@given(st.lists(times, min_size=2, max_size=5), st.integers(1, 20), st.booleans())
def test_scores_are_those_of_a_loop_over_events(clocks, window: int, by_time: bool) -> None:
    rows = [
        (f"u{user}", f"i{(7 * user + 3 * n) % 5}", float(time))
        for user, each in enumerate(clocks)
        for n, time in enumerate(each)
    ]
    data = corpus(rows)
    settings = EvaluationSettings(split="time" if by_time else "leave_one_out")
    try:
        split = make_split(data, settings)
    except DataError:
        return
    n_items = len(data.items)
    model = fit_recent_popularity(split, n_items, float(window))
    ready = prepare(data, resolve_settings({"split": settings.split, "max_history": 50}))
    cases = split.test if len(split.test) else split.validation
    sequences, training = split.sequences, split.is_training()
    assert sequences.times is not None
    last = sequences.times[training].max()
    step = window / STEPS
    for which, _, scores in last_scores(model, ready.protocol.cases(cases)):
        for index, row in zip(which, scores.numpy(), strict=True):
            moment = sequences.times[cases.stops[index] - 1]
            end = last - max(0, np.ceil((last - moment) / step)) * step
            assert end <= max(moment, end if moment > last else moment)
            inside = training & (sequences.times > end - window) & (sequences.times <= end)
            expected = np.bincount(sequences.items[inside], minlength=n_items + 1)
            assert np.floor(row).tolist() == expected.tolist()


def test_events_after_the_moment_are_never_counted() -> None:
    model = RecentPopularity(
        torch.tensor([1.0, 2.0, 3.0, 9.0]), torch.tensor([1, 2, 2, 3]), window=4.0, n_items=3
    )
    moments = torch.tensor([[0.0], [1.0], [3.0], [9.0], [1000.0]], dtype=torch.float64)
    assert model.score(moments).floor()[:, 1:].tolist() == [
        [0, 0, 0],
        [1, 0, 0],
        [1, 2, 0],
        [0, 0, 1],
        [0, 0, 1],  # after the training part: its last window
    ]
    chosen = model.score(moments, torch.tensor([[2, 3]] * 5))
    assert chosen.floor().tolist() == [[0, 0], [0, 0], [2, 0], [0, 1], [0, 1]]


def test_without_other_events_popularity_breaks_ties() -> None:
    model = RecentPopularity(
        torch.tensor([1.0, 2.0, 9.0]), torch.tensor([2, 2, 1]), window=1.0, n_items=3
    )
    scores = model.score(torch.tensor([[9.0], [0.5]], dtype=torch.float64))
    assert scores[0].argsort(descending=True).tolist()[:2] == [1, 2]
    assert scores[1].argmax() == 2


def test_the_window_is_chosen_on_validation_and_named() -> None:
    found = recent_popularity(prepared(shop(), valid_from="14d", test_from="7d"))
    assert found is not None
    assert found[0] in {"Popularity 1d", "Popularity 3d", "Popularity 7d"}
    assert is_baseline(found[0])


@pytest.mark.parametrize(
    ("unit", "window", "length"),
    [(1, "7d", 7 * DAY), (1e-3, "7d", 7 * DAY * 1000), (1, 3600, 3600), (1, "12 h", 43_200)],
)
def test_a_given_window_is_used(unit: float, window, length: float) -> None:
    rows = [(user, item, time / unit) for user, item, time in shop()]
    ready = prepared(rows, recent_window=window)
    [found] = windows_for(ready.split, ready.run.evaluation).values()
    assert found == length


def test_times_that_are_no_dates_get_shares_of_their_span() -> None:
    rows = [(f"u{n % 20}", f"i{n % 7}", float(n)) for n in range(400)]
    ready = prepared(rows)
    windows = windows_for(ready.split, ready.run.evaluation)
    assert len(windows) == 5
    with pytest.raises(DataError, match="recent_window is '7d', but the times of the data"):
        prepared(rows, recent_window="7d")


@pytest.mark.parametrize("window", ["soon", "2024-05-31", 0, -1, "0d"])
def test_a_window_that_is_no_length_of_time_is_refused(window) -> None:
    with pytest.raises(SettingsError, match="this is not a length of time; write a period"):
        resolve_settings({"recent_window": window})


def test_without_times_there_is_no_such_baseline() -> None:
    rows = [(f"u{n % 20}", f"i{n % 7}", 5.0) for n in range(400)]
    assert recent_popularity(prepared(rows)) is None
    data = corpus(rows, time_column="none")
    assert recent_popularity(prepare(data, resolve_settings({}))) is None


def test_reports_of_training_evaluation_and_comparison_have_it() -> None:
    small = {"epochs": 1, "hidden_size": 8, "inner_size": 8, "n_layers": 1, "n_heads": 1}
    frame = pl.DataFrame(shop(), schema=["user_id", "item_id", "timestamp"], orient="row")
    settings = {**small, "valid_from": "14d", "test_from": "7d", "recent_window": "7d"}
    trained = sasrec.train(frame, settings)
    scores = {each["model"]: each["test"]["ndcg@10"] for each in trained.metrics["reports"]}
    assert list(scores)[1:] == ["Popularity", "Markov", "Popularity 7d"]
    assert scores["Popularity 7d"] > 2 * scores["Popularity"]
    evaluated = sasrec.evaluate(trained, frame)
    assert evaluated.baselines[-1].test["ndcg@10"] == scores["Popularity 7d"]
    shared = {key: value for key, value in settings.items() if key not in small}
    compared = sasrec.compare(frame, ["FPMC"], settings={**shared, "epochs": 1})
    assert "Popularity 7d" in {entry.model for entry in compared.entries}
