import itertools

import pytest

from sasrec.config_files import key_words, literal, yaml_file
from sasrec.errors import SettingsError


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
def test_texts_are_literals_where_they_spell_one(text, value):
    assert literal(text) == value


def test_words_of_a_command_line():
    layer = key_words(["--n-layers=3", "--topk", "[5,10]", "--n_layers=3"])
    assert layer.values == {"n_layers": 3, "topk": [5, 10]}
    with pytest.raises(SettingsError, match="--seed is given twice, as 1 and 2; keep one"):
        key_words(["--seed=1", "--seed=2"])


@pytest.fixture
def read(tmp_path):
    def read_text(text):
        path = tmp_path / "my.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return yaml_file(path)

    return read_text


def test_yaml_numbers_are_those_people_write(read):
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
        ("a: 1\n  b: 2\n", r"my\.yaml, line 2, column 4: no YAML \("),
        ("a: [1\n", r"my\.yaml, line 2, column 1: no YAML"),
        ("- a\n- b\n", r"my\.yaml holds no mapping; write 'key: value' lines"),
        ("just text", r"my\.yaml holds no mapping"),
        ("a: 1\nb: 2\na: 3\n", r"my\.yaml, line 3: 'a' stands in line 1 too; keep one"),
        ("a: !!python/object/apply:os.getcwd []\n", r"my\.yaml, line 1, column 4: no YAML"),
        (b"a: caf\xe9\n", r"my\.yaml is not UTF-8 text"),
    ],
)
def test_what_is_no_settings_file_says_where(read, text, expected):
    with pytest.raises(SettingsError, match=expected):
        read(text)


def test_a_missing_file_is_named():
    with pytest.raises(SettingsError, match=r"none\.yaml cannot be read: No such file"):
        yaml_file("none.yaml")


def test_references_to_references_are_refused_before_they_are_followed(tmp_path):
    names = "abcdefghij"
    lines = ["hidden_size:", "  - &a [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    for one, other in itertools.pairwise(names):
        lines.append(f"  - &{other} [{', '.join(['*' + one] * 9)}]")
    path = tmp_path / "bomb.yaml"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(SettingsError, match=r"bomb\.yaml stands for more than 100,000 values"):
        yaml_file(path)
    path.write_text("topk: &a [1, *a]\n")
    with pytest.raises(SettingsError, match=r"bomb\.yaml"):
        yaml_file(path)
    path.write_text("a: &x [1, 2]\nb: *x\n")
    assert yaml_file(path).values == {"a": [1, 2], "b": [1, 2]}
