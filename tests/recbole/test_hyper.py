import pytest

from sasrec.errors import Interrupted, SettingsError
from sasrec.recbole.hyper import HyperTuning


def objective(params, files):
    """Return a score whose maximum is at a = 3, b = 0.5."""
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
    assert sorted(tuning.params2result) == [f"a:{a}, b:{b}" for a in (1, 3, 5) for b in (0.5, 1.0)]
    assert len(tuning.score_list) == 6
    assert tuning.params2result["a:5, b:1.0"]["files"] == ["x.yaml"]
    tuning.export_result(tmp_path / "hyper.result")
    block = "a:1, b:0.5\nValid result:\nmrr@10 : -4.0\nTest result:\nmrr@10 : -2.0\n\n"
    assert block in (tmp_path / "hyper.result").read_text()


def test_display_file_shows_each_trial_and_marks_the_best(tmp_path):
    page = tmp_path / "search.html"
    search(params_dict={"choice": {"a": [1, 13, 3, 5]}}, display_file=page)
    text = page.read_text()
    assert text.count("<svg") == 1
    rows = [line for line in text.splitlines() if line.startswith("<tr")]
    assert [row for row in rows if "class=best" in row] == [
        row for row in rows if row.endswith("<td>0</td><td>a:3</td></tr>")
    ]
    assert sorted(row.partition("</td><td>")[2] for row in rows) == [
        "-4</td><td>a:1</td></tr>",
        "-4</td><td>a:5</td></tr>",
        "0</td><td>a:3</td></tr>",
    ]


def test_display_file_escapes_html(tmp_path):
    page = tmp_path / "search.html"
    tuning = HyperTuning(
        lambda params, files: objective({"a": 3}, files),
        params_dict={"choice": {"x": ["<script>"]}},
        display_file=str(page),
    )
    tuning.run()
    assert "<script>" not in page.read_text()


@pytest.mark.parametrize("algo", ["random", "bayes"])
def test_random_and_bayes_come_near_the_best_and_are_reproducible(algo):
    space = {"uniform": {"a": [0, 10]}, "choice": {"b": [0.5, 1.0]}}
    first, again = (search(space=space, algo=algo, max_evals=40) for _ in range(2))
    assert len(first.score_list) == 40
    assert abs(first.best_params["a"] - 3) < 0.7
    assert first.score_list == again.score_list


def test_search_stops_early_and_reports_why():
    tuning = search(params_dict={"choice": {"a": [3, 4, 5, 6, 7, 8]}}, early_stop=2)
    assert len(tuning.score_list) == 3
    assert tuning.stopped_because == "no better score in the last 2 trials (early_stop)"


def test_exhaustive_search_that_stops_early_has_seen_more_than_a_corner():
    space = {"choice": {"a": list(range(20)), "b": list(range(10))}}
    tuning = search(params_dict=space, early_stop=30)
    assert len(tuning.score_list) < 200
    assert len({text.split(",")[0] for text in tuning.params2result}) > 10


def test_endless_failures_end_the_search():
    tuning = HyperTuning(
        objective, params_dict={"choice": {"a": [13] * 50 + [3] * 0}}, early_stop=3
    )
    with pytest.raises(SettingsError, match="unlucky"):
        tuning.run()


@pytest.mark.parametrize("result", [None, {}, {"best_valid_score": 1}])
def test_an_objective_without_a_result_is_refused(result):
    tuning = HyperTuning(lambda params, files: result, params_dict={"choice": {"a": [1]}})
    with pytest.raises(SettingsError, match="objective_function returned"):
        tuning.run()


def test_an_interrupted_trial_ends_the_search():
    def stopped(params, files):
        if params["a"] == 3:
            raise Interrupted("training was stopped early")
        return objective(params, files)

    tuning = HyperTuning(stopped, params_dict={"choice": {"a": [1, 3, 5]}})
    with pytest.raises(Interrupted, match="training was stopped early"):
        tuning.run()
    assert len(tuning.score_list) < 3


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
        ({}, "give exactly one of space, params_file and params_dict"),
        ({"space": {}, "params_file": "x"}, "give exactly one of"),
        ({"space": {}, "algo": "byaes"}, "did you mean 'bayes'?"),
        ({"params_file": "none.test"}, "none.test cannot be read"),
        ({"params_file": ""}, "is not a regular file"),
        ({"params_dict": {}}, "params_dict must be like {'choice'"),
        ({"params_dict": 5}, "params_dict must be like {'choice'"),
        ({"params_dict": {"choice": ["a"]}}, "under 'choice' it has ['a']"),
        ({"params_dict": {"uniform": {"a": [float("nan"), 1]}}}, "bounds must be at most"),
        ({"params_dict": {"loguniform": {"a": [1, 800]}}}, "bounds must be at most 700"),
        ({"space": {"choice": {"a": [1]}}, "max_evals": 0}, "max_evals is 0"),
        ({"space": {"choice": {"a": [1]}}, "algo": ["random"]}, "unknown algo ['random']"),
    ],
)
def test_wrong_arguments_are_refused(arguments, text):
    with pytest.raises(SettingsError) as caught:
        HyperTuning(objective, **arguments)
    assert text in str(caught.value)
