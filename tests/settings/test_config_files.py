import copy
import itertools
import json
import math
import pickle

import pytest

from sasrec.errors import SettingsError
from sasrec.settings.files import layer_from_options, yaml_file
from sasrec.settings.literals import literal
from sasrec.settings.resolve import resolve_layers
from sasrec.settings.written import plain, spelling


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.5", 0.5),
        ("1e-3", 0.001),
        ("True", True),
        ("FALSE", False),
        ("None", None),
        ("[1,2]", [1, 2]),
        ("{'LS': 'valid_and_test'}", {"LS": "valid_and_test"}),
        ("gelu", "gelu"),
        ("[4,inf)", "[4,inf)"),
        ("__import__('os').getcwd()", "__import__('os').getcwd()"),
        ("1e-3or", "1e-3or"),
    ],
)
def test_texts_are_parsed_as_literals_if_they_are_literals(text, value):
    assert literal(text) == value


def test_options_of_a_command_line_become_settings():
    layer = layer_from_options(["--n-layers=3", "--topk", "[5,10]", "--n_layers=3"])
    assert layer.values == {"n_layers": 3, "topk": [5, 10]}
    with pytest.raises(SettingsError, match="--seed is given twice, as 1 and 2; keep one"):
        layer_from_options(["--seed=1", "--seed=2"])


@pytest.fixture
def read(tmp_path):
    def read_text(text):
        path = tmp_path / "my.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return yaml_file(path)

    return read_text


def test_yaml_numbers_follow_the_core_schema(read):
    layer = read("a: 1e-3\nb: 1E5\nc: 3\nd: .5\ne: 1.0\nf: 1e\ng: [1e-3, x]\nh: null\n")
    assert layer.values == {
        "a": 0.001,
        "b": 1e5,
        "c": 3,
        "d": 0.5,
        "e": 1.0,
        "f": "1e",
        "g": [0.001, "x"],
        "h": None,
    }
    assert layer.lines["d"] == 4


def test_an_empty_file_has_no_settings(read):
    assert read("# nothing yet\n").values == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\n  b: 2\n", r"my\.yaml, line 2, column 4: invalid YAML \("),
        ("a: [1\n", r"my\.yaml, line 2, column 1: invalid YAML"),
        ("- a\n- b\n", r"my\.yaml is not a mapping; write 'key: value' lines"),
        ("just text", r"my\.yaml is not a mapping"),
        ("a: 1\nb: 2\na: 3\n", r"my\.yaml, line 3: 'a' is already set in line 1; keep one"),
        ("a: !!python/object/apply:os.getcwd []\n", r"my\.yaml, line 1, column 4: invalid YAML"),
        (b"a: caf\xe9\n", r"my\.yaml is not UTF-8 text"),
    ],
)
def test_an_invalid_settings_file_is_rejected_with_its_line(read, text, expected):
    with pytest.raises(SettingsError, match=expected):
        read(text)


def test_a_missing_file_is_named():
    with pytest.raises(SettingsError, match=r"none\.yaml cannot be read: No such file"):
        yaml_file("none.yaml")


def test_nested_aliases_are_rejected_before_they_are_expanded(tmp_path):
    names = "abcdefghij"
    lines = ["hidden_size:", "  - &a [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    for one, other in itertools.pairwise(names):
        lines.append(f"  - &{other} [{', '.join(['*' + one] * 9)}]")
    path = tmp_path / "bomb.yaml"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(SettingsError, match=r"bomb\.yaml expands to more than 100,000 values"):
        yaml_file(path)
    path.write_text("topk: &a [1, *a]\n")
    with pytest.raises(SettingsError, match=r"bomb\.yaml"):
        yaml_file(path)
    path.write_text("a: &x [1, 2]\nb: *x\n")
    assert yaml_file(path).values == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("yes", "yes"),
        ("On", "On"),
        ("n", "n"),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("2024-05-31", "2024-05-31"),
        ("=", "="),
        ("True", True),
        ("false", False),
        ("~", None),
        ("null", None),
        ("None", "None"),
        ("-.inf", -math.inf),
        ("+5", 5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("!!str 010", "010"),
    ],
)
def test_plain_values_of_yaml_are_read_by_the_core_schema(read, text, value):
    found = read(f"a: {text}\n").values["a"]
    assert found == value
    assert isinstance(found, type(value))


def test_merge_keys_are_overridden_by_own_keys(read):
    layer = read("base: &base {a: 1, b: 2}\nmore: {<<: *base, b: 3}\n")
    assert layer.values["more"] == {"a": 1, "b": 3}


@pytest.mark.parametrize(("text", "value"), [("yes", True), ("NO", False), ("on", True)])
def test_yes_and_no_are_booleans_for_boolean_settings(read, text, value):
    run = resolve_layers([read(f"show_progress: {text}\nsave_dataset: {text}\nuse_gpu: {text}\n")])
    assert (run.output.show_progress, run.output.save_dataset) == (value, value)
    assert run.training.device == ("auto" if value else "cpu")


def test_numbers_keep_their_spelling_for_text_settings(read):
    data = resolve_layers([read("item_column: 010\nuser_column: 1.10\n")]).data
    assert (data.item_column, data.user_column) == ("010", "1.10")
    data = resolve_layers([layer_from_options(["--item_column=010", "--user_column=1.10"])]).data
    assert (data.item_column, data.user_column) == ("010", "1.10")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[010,'a, 020',x]", "[010,'a, 020',x]"),
        ("[010,'a, 020', 5]", ["010", "a, 020", 5]),
        ("{'a': [00123]}", {"a": ["00123"]}),
        ("010", "010"),
        ("[4,010)", "[4,010)"),
        ("[1,\r1.50]", [1, 1.5]),
    ],
)
def test_leading_zeros_in_lists_are_kept(text, value):
    assert literal(text) == value


def test_numbers_with_a_spelling_are_numbers_elsewhere():
    number = literal("1.50")
    assert spelling(number) == "1.50"
    assert pickle.loads(pickle.dumps(number)).text == "1.50"
    assert copy.deepcopy(literal("[0x10]"))[0] + 1 == 17
    assert json.dumps([literal("1e3"), literal("0x10")]) == "[1000.0, 16]"
    assert type(plain({"a": [literal("1e3")]})["a"][0]) is float
