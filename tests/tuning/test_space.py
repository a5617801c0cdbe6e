import math

import pytest

from sasrec.errors import SettingsError
from sasrec.tuning.plan import SearchPlan
from sasrec.tuning.space import Parameter, check_grid, grid_size, parameter, read_space, space_of
from sasrec.tuning.study import Search

PAGE = """learning_rate choice [0.01,0.005,0.001,0.0005,0.0001]
attn_dropout_prob choice [0.2, 0.5]
hidden_dropout_prob choice [0.2, 0.5]
n_heads choice [1, 2]
n_layers choice [1,2,3]
"""


@pytest.fixture
def read(tmp_path):
    def read_text(text):
        (tmp_path / "hyper.test").write_text(text)
        return read_space(tmp_path / "hyper.test")

    return read_text


def test_the_grid_of_recboles_documentation_has_120_combinations(read):
    space = read(PAGE)
    search = Search(SearchPlan(space=tuple(space), algorithm="exhaustive", prune="none"))
    trials = [search.ask() for _ in range(grid_size(space))]
    combinations = [search.settings_of(trial) for trial in trials]
    assert len({tuple(each.values()) for each in combinations}) == len(combinations) == 120
    assert combinations[0].keys() == {each.name for each in space}
    assert search.ask() is None


def test_every_kind_of_line_is_read(read):
    assert read("a choice ['[64,64]', '[128]', None]\n\nb uniform 0.1, 0.5\nskipped line\n") == [
        Parameter("a", "choice", ("[64,64]", "[128]", None)),
        Parameter("b", "uniform", (0.1, 0.5)),
    ]
    assert read("a quniform 32,128,32\nb loguniform -8,0\n") == [
        Parameter("a", "quniform", (32, 128, 32)),
        Parameter("b", "loguniform", (-8, 0)),
    ]
    assert space_of({"choice": {"a": [1, 2]}, "uniform": {"b": [0, 1]}}) == [
        Parameter("a", "choice", (1, 2)),
        Parameter("b", "uniform", (0, 1)),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a chioce [1]\n", r"line 1: unknown type 'chioce'; did you mean 'choice'\?"),
        ("\na choice 3\n", r"line 2: a is 3; choice needs a list"),
        (
            "a choice __import__('os')\n",
            r"line 1: a is \"__import__\('os'\)\"; choice needs a list",
        ),
        ("a choice []\n", "choice needs a list"),
        ("a uniform 1\n", r"line 1: a is \[1\]; uniform needs 2 numbers"),
        ("a quniform 1,2\n", "quniform needs 3 numbers"),
        ("a uniform x,2\n", "uniform needs 2 numbers"),
        ("a uniform 2,1\n", "give the lower bound first"),
        ("a quniform 1,2,0\n", "a step above 0"),
        (f"a quniform 1,{'9' * 400},1\n", "bounds must be at most"),
        (f"a uniform 1,{'9' * 400}\n", "bounds must be at most"),
        ("a choice [1]\na choice [2]\n", r"line 2: 'a' is already defined above"),
        ("nothing here\n", "contains no parameters"),
    ],
)
def test_errors_name_the_line(read, text, expected):
    with pytest.raises(SettingsError, match=expected):
        read(text)


def test_drawn_values_are_within_their_range():
    kinds = {
        "choice": (1, "x"),
        "uniform": (0.1, 0.5),
        "quniform": (32, 128, 32),
        "loguniform": (-8, 0),
    }
    space = tuple(Parameter(kind, kind, values) for kind, values in kinds.items())
    search = Search(SearchPlan(space=space, algorithm="random", trials=300))
    drawn = [search.settings_of(search.ask()) for _ in range(300)]
    draws = {kind: [settings[kind] for settings in drawn] for kind in kinds}
    assert set(draws["choice"]) == {1, "x"}
    assert 0.1 <= min(draws["uniform"]) < 0.15 < 0.45 < max(draws["uniform"]) <= 0.5
    assert set(draws["quniform"]) == {32, 64, 96, 128}
    assert math.exp(-8) <= min(draws["loguniform"]) < 0.001 < 0.5 < max(draws["loguniform"]) <= 1


def test_a_short_line_is_ignored_with_a_warning(tmp_path, caplog):
    path = tmp_path / "hyper.test"
    path.write_text("# a comment\n\nn_layers choice [1,2]\nn_heads choice[1,2]\n")
    assert [each.name for each in read_space(path)] == ["n_layers"]
    [record] = caplog.records
    assert "hyper.test, line 4 is ignored: 'n_heads choice[1,2]'" in record.getMessage()


def test_a_name_under_two_kinds_is_refused():
    with pytest.raises(SettingsError, match=r"s\.yaml: 'a' occurs under two kinds"):
        space_of({"choice": {"a": [1]}, "uniform": {"a": [0, 1]}}, "s.yaml")


def test_a_step_too_small_is_refused():
    with pytest.raises(SettingsError, match="too small"):
        parameter("a", "quniform", [0, 1, 1e-320], "here")


def test_ranges_cannot_be_searched_exhaustively():
    with pytest.raises(SettingsError, match="a is a range, which cannot be searched exhaustively"):
        check_grid([Parameter("a", "uniform", (0, 1))])
