"""Plug-ins: which parts are accepted or rejected, and how a saved model records them."""

import json
import re
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl
import pytest
import torch
from torch import nn

import sasrec
from sasrec.errors import DataError, ModelError, SettingsError
from sasrec.settings import parts, plugins, providers
from sasrec.settings.plugins import TABLES, call_with_plugins, loaded_plugins
from sasrec.settings.registry import LOSSES, METRICS, MODELS, READERS
from sasrec.settings.resolve import resolve_settings

DATA = "synthetic:users=40,items=20,length=8,topics=4"
FILE = '''
import sasrec
from torch import nn

@sasrec.register_model
class Bag(sasrec.NextItemModel):
    class Settings(sasrec.Settings):
        hidden_size: int = 4
        """Width."""

    def __init__(self, settings, catalogue):
        super().__init__()
        self.items = nn.Embedding(catalogue.n_items + 1, settings.hidden_size, padding_idx=0)

    @property
    def item_table(self):
        return self.items.weight

    def encode(self, batch, at=None):
        hidden = self.items(batch.items)
        return hidden if at is None else hidden[at]
'''


class Last(sasrec.NextItemModel):
    """Scores by the last item."""

    Settings = sasrec.Settings

    def __init__(self, settings: sasrec.Settings, catalogue: sasrec.Catalogue) -> None:
        super().__init__()
        self.items = nn.Embedding(catalogue.n_items + 1, 4, padding_idx=0)
        self.scale = torch.arange(4.0)  # neither weight nor buffer

    @property
    def item_table(self) -> torch.Tensor:
        return self.items.weight

    def encode(self, batch: sasrec.Batch, at: torch.Tensor | None = None) -> torch.Tensor:
        hidden: torch.Tensor = self.items(batch.items) * self.scale
        return hidden if at is None else hidden[at]


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove after the test what it registered."""
    for table in TABLES.values():
        monkeypatch.setattr(table, "_external", dict(table._external))
    monkeypatch.setattr(plugins, "_loaded", dict(plugins._loaded))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "bag.py"
    path.write_text(FILE)
    return path


def offer(monkeypatch: pytest.MonkeyPatch, **entries: list[str]) -> None:
    """Let packages provide models, given as name to entry point addresses."""
    found = {
        name: [EntryPoint(name, address, "sasrec.models") for address in addresses]
        for name, addresses in entries.items()
    }
    known = providers.entry_points_in
    monkeypatch.setattr(
        parts, "entry_points_in", lambda group: found if group == "sasrec.models" else known(group)
    )


def test_a_registered_model_trains_and_loads_by_its_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sasrec.register_model(Last) is Last
    trained = sasrec.train(DATA, {"epochs": 1}, model="last", out=tmp_path / "m")
    monkeypatch.setattr(MODELS, "_external", {})
    with pytest.raises(
        ModelError, match=r"needs the model 'Last' from the module .*models=\[Last\]"
    ):
        sasrec.load(tmp_path / "m")
    loaded = sasrec.load(tmp_path / "m", models=[Last])
    assert loaded.recommend([["i1", "i2"]]) == trained.recommend([["i1", "i2"]])


def test_defaults_of_a_plug_in_are_not_said_to_be_of_a_paper(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Last, "defaults", {"epochs": 7})
    sasrec.register_model(Last)
    run = resolve_settings({}, "Last")
    assert (run.training.epochs, str(run.origins["epochs"])) == (7, "default of Last")
    assert run.given() == {}


def test_loading_changes_no_random_numbers(tmp_path: Path) -> None:
    sasrec.register_model(Last)
    sasrec.train(DATA, {"epochs": 1}, model="Last", out=tmp_path / "m")
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    sasrec.load(tmp_path / "m")
    assert torch.equal(torch.rand(1), expected)


def test_a_plug_in_file_is_named_in_the_model_folder_and_runs_once(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sasrec.load_plugin(file)
    sasrec.load_plugin(str(file))
    sasrec.train(DATA, {"epochs": 1}, model="Bag", out=tmp_path / "m")
    [part] = json.loads((tmp_path / "m" / "settings.json").read_text())["plugins"]
    assert part == {"part": "model", "name": "Bag", "from": "file", "place": str(file)}
    monkeypatch.setattr(MODELS, "_external", {})
    with pytest.raises(ModelError, match=r"plug-in file .*bag.py; load it with --plugin bag.py"):
        sasrec.load(tmp_path / "m")


def test_a_built_in_model_lists_no_plug_ins(tmp_path: Path) -> None:
    sasrec.train(DATA, {"epochs": 1, "hidden_size": 8, "preset": "recbole"}, out=tmp_path / "m")
    assert "plugins" not in json.loads((tmp_path / "m" / "settings.json").read_text())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import torch\n", "registers nothing; add a line such as"),
        ("x = 1\nimport no_such_thing\n", r"mine.py, line 2 cannot be run: ModuleNotFoundError"),
        ("def f(:\n", r"mine.py, line 1 cannot be run: SyntaxError"),
        ("import sasrec\nsasrec.register_model(int)\n", r"mine.py: int is not a model; derive"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(SettingsError, match=message):
        sasrec.load_plugin(path)
    with pytest.raises(SettingsError, match="is not an existing Python file; give a plug-in file"):
        sasrec.load_plugin(tmp_path / "other.py")


def test_a_rejected_model_is_told_everything_it_lacks() -> None:
    class Bare(sasrec.NextItemModel):
        def __init__(self) -> None:
            super().__init__()

    message = (
        r"Bare cannot be registered: it lacks encode.*; it lacks item_table .* or score.*; "
        r"define one; "
        r"its __init__ does not take \(settings, catalogue\); it lacks Settings"
    )
    with pytest.raises(SettingsError, match=message):
        sasrec.register_model(Bare)


def test_settings_of_a_model_must_be_its_own_and_have_defaults() -> None:
    class Needy(Last):
        class Settings(sasrec.Settings):
            width: int
            epochs: int = 3

        defaults: ClassVar[dict[str, object]] = {"no_such_setting": 1}

    message = (
        "'width' has no default; add one; the setting name 'epochs' is already used .*defaults"
    )
    with pytest.raises(SettingsError, match=message):
        sasrec.register_model(Needy)


def test_names_that_clash_are_refused(file: Path) -> None:
    class GRU4REC(Last):
        """Differs from a built-in name only in case."""

    class Popularity(Last):
        """Has the same name as a baseline."""

    with pytest.raises(SettingsError, match="has the same name as the built-in model 'GRU4Rec'"):
        sasrec.register_model(GRU4REC)
    with pytest.raises(SettingsError, match="the name 'Popularity' is already taken"):
        sasrec.register_model(Popularity)
    sasrec.load_plugin(file)
    other = type("Bag", (Last,), {"__module__": "elsewhere"})
    with pytest.raises(
        SettingsError, match=r"has the same name as the one of file .*bag.py; rename one"
    ):
        sasrec.register_model(other)


def test_a_cell_that_is_run_again_replaces_its_model() -> None:
    for _ in range(2):
        again = type("Cell", (Last,), {"__module__": "__main__"})
        sasrec.register_model(again)
    assert MODELS["Cell"] is again
    with pytest.raises(SettingsError, match="'Cell' is defined in the main script"):
        loaded_plugins()


def test_an_entry_point_is_loaded_when_its_name_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, Last=[f"{__name__}:Last"], Broken=["no_such_module:Broken"])
    assert "Broken" in MODELS
    assert MODELS.canonical_name("last") == "Last"
    assert not MODELS.external()
    assert MODELS["Last"] is Last
    with pytest.raises(SettingsError, match="'Broken' of package unknown cannot be loaded"):
        MODELS["Broken"]


def test_an_entry_point_must_have_the_name_of_its_class_and_be_the_only_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    offer(monkeypatch, Newest=[f"{__name__}:Last"], Twice=["a:Twice", "b:Twice"])
    with pytest.raises(SettingsError, match=r"its class is named '.*'; use the same name"):
        MODELS["Newest"]
    with pytest.raises(SettingsError, match=r"'Twice' is provided by .* and .*; uninstall one"):
        MODELS["Twice"]


@pytest.mark.parametrize(
    "edited", [{"part": 1}, "text", [["a"]], [{"part": "model", "name": "Gone", "from": "x"}]]
)
def test_an_edited_list_of_plug_ins_makes_a_folder_damaged(tmp_path: Path, edited: object) -> None:
    with pytest.raises(ModelError):
        plugins.require_parts(edited, ["model"], tmp_path)


def reciprocal(ranks: np.ndarray, k: int) -> np.ndarray:
    table = ranks if ranks.ndim == 2 else ranks[:, None]
    return np.where((table >= 1) & (table <= k), 1 / np.maximum(table, 1), 0.0).max(1)


def test_a_plug_in_metric_is_computed_watched_and_saved(tmp_path: Path) -> None:
    sasrec.register_metric(sasrec.Metric("reciprocal", reciprocal))
    settings = {"epochs": 1, "hidden_size": 8, "metrics": "reciprocal,mrr", "preset": "recbole"}
    settings |= {"valid_metric": "reciprocal@10"}
    found = sasrec.train(DATA, settings, out=tmp_path / "m")
    test = found.metrics["reports"][0]["test"]
    assert test["reciprocal@10"] == test["mrr@10"] > 0
    METRICS._external.clear()
    with pytest.raises(ModelError, match="/m needs the metric 'reciprocal' from the module"):
        sasrec.evaluate(tmp_path / "m")
    assert sasrec.evaluate(tmp_path / "m", metrics="mrr", valid_metric="mrr@5").report.test


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (reciprocal, "wrap the function in sasrec.Metric"),
        (sasrec.Metric("Recip", reciprocal), "use lower-case letters"),
        (sasrec.Metric("mrr", reciprocal), "has the same name as the built-in metric 'mrr'"),
        (sasrec.Metric("mean", lambda ranks, k: ranks.mean()), r"must return one .* per case"),
        (sasrec.Metric("none", lambda ranks: ranks), "cannot be computed .* TypeError"),
    ],
)
def test_a_metric_that_does_not_fit_is_refused(metric: sasrec.Metric, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        sasrec.register_metric(metric)


def test_a_plug_in_reader_reads_files_with_its_suffix(tmp_path: Path) -> None:
    path = tmp_path / "events.lines"
    path.write_text("a 1\na 2\na 3\nb 2\nb 3\nb 1\n")
    with pytest.raises(DataError, match=r"unknown file suffix '.lines'.*--plugin"):
        sasrec.train(path)

    def read(path: Path, settings: object) -> pl.DataFrame:
        rows = [line.split() for line in path.read_text().splitlines()]
        return pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row")

    sasrec.register_reader(".lines", read)
    settings = {"epochs": 1, "hidden_size": 8, "preset": "recbole", "time_column": "none"}
    saved = sasrec.train(path, settings, out=tmp_path / "m")
    assert len(saved.items) == 3
    [part] = json.loads((tmp_path / "m" / "settings.json").read_text())["plugins"]
    assert part == {"part": "reader", "name": "lines", "from": "module", "place": __name__}
    READERS._external.clear()
    for data in (None, path):
        with pytest.raises(ModelError, match="the model needs the reader 'lines' from the module"):
            sasrec.evaluate(tmp_path / "m", data)
    sasrec.register_reader("lines", lambda path, settings: path.no_such_thing)
    with pytest.raises(DataError, match=r"events.lines cannot be read by the plug-in for .lines"):
        sasrec.train(path, settings)
    READERS._external.clear()
    sasrec.register_reader("lines", lambda path, settings: [1])
    with pytest.raises(DataError, match="returned a list; it must return a Polars data frame"):
        sasrec.train(path, settings)


def test_a_reader_with_a_taken_suffix_or_wrong_signature_is_rejected() -> None:
    with pytest.raises(SettingsError, match="built-in reader 'csv'"):
        sasrec.register_reader(".csv", lambda path, settings: pl.DataFrame())
    with pytest.raises(SettingsError, match="must be a function that takes"):
        sasrec.register_reader(".lines", lambda path: pl.DataFrame())
    with pytest.raises(SettingsError, match="invalid suffix 'L!'"):
        sasrec.register_reader(".L!", lambda path, settings: pl.DataFrame())


def test_a_plug_in_loss_is_chosen_by_name_and_saved(tmp_path: Path) -> None:
    def build(settings: object, n_items: int) -> object:
        def squares(hidden, targets, table, negatives):  # type: ignore[no-untyped-def]
            return (1 - (hidden * table[targets]).sum(1)).square().sum() / max(len(targets), 1)

        return squares

    sasrec.register_loss(sasrec.SampledLoss("Squares", build, needs_item_vectors=True))  # type: ignore[arg-type]
    settings = {"epochs": 1, "hidden_size": 8, "preset": "recbole", "loss": "squares"}
    found = sasrec.train(DATA, settings, out=tmp_path / "m")
    assert found.settings["plugins"][0]["name"] == "Squares"
    LOSSES._external.clear()
    sasrec.load(tmp_path / "m")  # to recommend, the loss is not needed
    with pytest.raises(SettingsError, match=r"loss is .squares.: it must be one of"):
        sasrec.train(DATA, settings)


def test_a_loss_that_does_not_fit_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"wrap the function in sasrec.SampledLoss"):
        sasrec.register_loss(len)  # type: ignore[arg-type]
    for loss, message in (
        (sasrec.SampledLoss("bpr", lambda settings, n: None), "built-in loss 'BPR'"),  # type: ignore[arg-type, return-value]
        (sasrec.SampledLoss("no name", lambda settings, n: None), "cannot be the name of a loss"),  # type: ignore[arg-type, return-value]
        (
            sasrec.FullLoss("Mine", lambda settings, n: None, uses=frozenset({"margin"})),  # type: ignore[arg-type, return-value]
            "uses 'margin', which is not a training setting; remove it from uses",
        ),
    ):
        with pytest.raises(SettingsError, match=message):
            sasrec.register_loss(loss)


def names_known() -> list[str]:
    return list(MODELS)


def test_another_process_loads_the_same_files_and_modules(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sasrec.load_plugin(file)
    sasrec.register_model(Last)
    handed = loaded_plugins()
    assert (handed.files, handed.modules) == ((file,), (__name__,))
    monkeypatch.setattr(MODELS, "_external", {})
    monkeypatch.setattr(plugins, "_loaded", {})
    assert "Bag" in call_with_plugins(plugins.Plugins(handed.files, ()), names_known)


def test_the_examples_of_the_page_are_plug_ins(tmp_path: Path) -> None:
    page = (Path(__file__).parents[1] / "docs" / "plugins.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    examples = [block for block in blocks if "register_" in block]
    assert len(examples) == 4
    path = tmp_path / "page.py"
    path.write_text("\n".join(examples))
    sasrec.load_plugin(path)
    events = [{"user_id": f"u{n % 9}", "item_id": n % 7, "timestamp": n} for n in range(70)]
    pl.DataFrame(events).write_ndjson(tmp_path / "events.jsonl")
    settings = {"epochs": 1, "width": 8, "loss": "Margin", "metrics": "rootrank"}
    found = sasrec.train(tmp_path / "events.jsonl", settings, model="LastItem")
    assert found.metrics["reports"][0]["test"]["rootrank@10"] > 0
    assert {part["name"] for part in found.settings["plugins"]} == {
        "LastItem",
        "Margin",
        "rootrank",
        "jsonl",
    }


def test_a_file_can_be_loaded_after_it_has_been_corrected(tmp_path: Path, file: Path) -> None:
    file.write_text(FILE + "\nimport no_such_thing\n")
    for _ in range(2):
        with pytest.raises(SettingsError, match="cannot be run: ModuleNotFoundError"):
            sasrec.load_plugin(file)
        assert "Bag" not in MODELS
    file.write_text("import torch\n")
    with pytest.raises(SettingsError, match="registers nothing"):
        sasrec.load_plugin(file)
    file.write_text(FILE)
    sasrec.load_plugin(file)
    assert str(MODELS.provider("Bag")) == f"file {file}"


def test_a_failed_file_forgets_the_files_it_loaded_and_imported(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "helper_of_outer.py").write_text(FILE.replace("Bag", "Helper"))
    outer = tmp_path / "outer.py"
    text = f"import helper_of_outer, sasrec\nsasrec.load_plugin({str(file)!r})\n"
    outer.write_text(f"{text}1 / 0\n")
    with pytest.raises(SettingsError, match="ZeroDivisionError"):
        sasrec.load_plugin(outer)
    assert not {"Bag", "Helper"} & set(MODELS)
    outer.write_text(text)
    sasrec.load_plugin(outer)
    assert {"Bag", "Helper"} <= set(MODELS)


def test_a_plug_in_cannot_end_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "exiting_plugin.py"
    path.write_text("import sys\nsys.exit()\n")
    with pytest.raises(SettingsError, match=r"line 2 cannot be run: SystemExit"):
        sasrec.load_plugin(path)
    monkeypatch.syspath_prepend(tmp_path)
    offer(monkeypatch, Exiting=["exiting_plugin:Exiting"])
    with pytest.raises(SettingsError, match=r"'Exiting' .*cannot be loaded: SystemExit"):
        MODELS["Exiting"]
    path.write_text("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        sasrec.load_plugin(path)


LOSS = """
import sasrec, torch

def build(settings, n_items):
    {build}

def loss(hidden, targets, table, negatives):
    {call}

sasrec.register_loss(sasrec.SampledLoss("Faulty", build))
"""


@pytest.mark.parametrize(
    ("build", "call", "message"),
    [
        ("raise KeyError('x')", "", "cannot be built: KeyError: 'x'"),
        ("import sys; sys.exit()", "", "cannot be built: SystemExit"),
        ("return None", "", "cannot be built: TypeError: build returns a NoneType; it must return"),
        ("return loss", "1 / 0", "fails on a few states: ZeroDivisionError"),
        ("return loss", "return 1.5", "returns a float; it must return a scalar tensor"),
        ("return loss", "return hidden * hidden", r"float32 \[3, 4\]; it must return the mean"),
        ("return loss", "return hidden.detach().sum()", "returns a result without a gradient"),
    ],
)
def test_a_loss_that_fails_is_named(tmp_path: Path, build: str, call: str, message: str) -> None:
    path = tmp_path / "faulty.py"
    path.write_text(LOSS.format(build=build, call=call or "pass"))
    sasrec.load_plugin(path)
    with pytest.raises(SettingsError, match=rf"^loss 'Faulty' of file {path} .*{message}"):
        sasrec.train(DATA, epochs=1, hidden_size=8, loss="faulty")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("super().__init__()", "1 / 0", "cannot be created: ZeroDivisionError"),
        ("hidden = ", "hidden = 1 / 0 + ", "fails on a batch: ZeroDivisionError"),
        (
            "hidden if at is None else hidden[at]",
            "hidden",
            r"encode\(batch, at\) returns float32 \[3, 4\] for .*; it must be float \[2, 4\]",
        ),
        ("hidden if at", "None if at", r"encode\(batch\) returns a NoneType for .* float \[3, d\]"),
        ("self.items.weight", "self.items.weight.T", "item_table returns float32"),
    ],
)
def test_a_model_that_fails_is_named(file: Path, old: str, new: str, message: str) -> None:
    file.write_text(FILE.replace(old, new))
    sasrec.load_plugin(file)
    with pytest.raises(SettingsError, match=rf"^model 'Bag' of file {file} .*{message}"):
        sasrec.train(DATA, epochs=1, model="Bag")
