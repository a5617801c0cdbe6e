import pytest

from sasrec.errors import SettingsError
from sasrec.tuning.hyper import HyperTuning


def objective(params, files):
    """Return a score with its top at a = 3, b = 0.5."""
    if params.get("a") == 13:
        raise SettingsError("unlucky")
    score = -((params["a"] - 3) ** 2) - (params.get("b", 0.5) - 0.5) ** 2
    return {
        "best_valid_score": score,
        "valid_score_bigger": True,
        "best_valid_result": {"mrr@10": score},
        "test_result": {"mrr@10": score / 2},
        "files": files,
    }


def search(**arguments):
    tuning = HyperTuning(objective, **{"early_stop": 1000, **arguments})
    tuning.run()
    return tuning


def test_exhaustive_search_tries_every_combination_and_finds_the_best(tmp_path):
    space = {"choice": {"a": [1, 3, 5], "b": [0.5, 1.0]}}
    tuning = search(params_dict=space, fixed_config_file_list=["x.yaml"])
    assert tuning.best_params == {"a": 3, "b": 0.5}
    assert tuning.best_score == 0
    assert tuning.best_test_result == {"mrr@10": 0}
    assert list(tuning.params2result)[:2] == ["a:1, b:0.5", "a:1, b:1.0"]
    assert len(tuning.score_list) == 6
    assert tuning.params2result["a:5, b:1.0"]["files"] == ["x.yaml"]
    tuning.export_result(tmp_path / "hyper.result")
    assert (
        (tmp_path / "hyper.result")
        .read_text()
        .startswith("a:1, b:0.5\nValid result:\nmrr@10 : -4.0\nTest result:\nmrr@10 : -2.0\n\n")
    )


def test_display_file_shows_each_trial_and_marks_the_best(tmp_path):
    page = tmp_path / "search.html"
    search(params_dict={"choice": {"a": [1, 13, 3, 5]}}, display_file=page)
    text = page.read_text()
    assert text.count("<svg") == 1
    assert [line for line in text.splitlines() if line.startswith("<tr")] == [
        "<tr><td>1</td><td>-4</td><td>a:1</td></tr>",
        "<tr class=best><td>2</td><td>0</td><td>a:3</td></tr>",
        "<tr><td>3</td><td>-4</td><td>a:5</td></tr>",
    ]


def test_display_file_holds_texts_as_texts(tmp_path):
    page = tmp_path / "search.html"
    tuning = HyperTuning(
        lambda params, files: objective({"a": 3}, files),
        params_dict={"choice": {"x": ["<script>"]}},
        display_file=str(page),
    )
    tuning.run()
    assert "<script>" not in page.read_text()


@pytest.mark.parametrize("algo", ["random", "bayes"])
def test_other_searches_come_near_and_repeat_themselves(algo):
    space = {"uniform": {"a": [0, 10]}, "choice": {"b": [0.5, 1.0]}}
    first, again = (search(space=space, algo=algo, max_evals=40) for _ in range(2))
    assert len(first.score_list) == 40
    assert abs(first.best_params["a"] - 3) < 0.7
    assert first.score_list == again.score_list


def test_search_ends_without_progress_and_says_so():
    tuning = search(params_dict={"choice": {"a": [3, 4, 5, 6, 7, 8]}}, early_stop=2)
    assert len(tuning.score_list) == 3
    assert tuning.stopped_because == "2 trials in a row brought no progress (early_stop)"


def test_smaller_is_better_where_the_result_says_so():
    def smaller(params, files):
        return {**objective(params, files), "valid_score_bigger": False}

    tuning = HyperTuning(smaller, params_dict={"choice": {"a": [2, 3, 9]}})
    tuning.run()
    assert tuning.best_params == {"a": 9}


def test_a_failing_trial_does_not_end_the_search():
    for algo in ("exhaustive", "bayes"):
        tuning = search(params_dict={"choice": {"a": [13, 3]}}, algo=algo, max_evals=6)
        assert tuning.best_params == {"a": 3}
    with pytest.raises(SettingsError, match="unlucky"):
        search(params_dict={"choice": {"a": [13]}})


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "give one of space, params_file and params_dict"),
        ({"space": {}, "params_file": "x"}, "give one of"),
        ({"space": {}, "algo": "byaes"}, "did you mean 'bayes'?"),
        ({"params_file": "none.test"}, "none.test cannot be read"),
    ],
)
def test_wrong_arguments_are_refused(arguments, text):
    with pytest.raises(SettingsError) as caught:
        HyperTuning(objective, **arguments)
    assert text in str(caught.value)
