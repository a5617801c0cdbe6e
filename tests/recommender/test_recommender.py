import copy
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from safetensors import SafetensorError

import sasrec
from sasrec.errors import DataError, DeviceError, ModelError
from sasrec.recommender.contents import read_without_weights
from sasrec.recommender.loading import load
from sasrec.recommender.recommender import Recommender

SMALL = {"hidden_size": 16, "inner_size": 16, "n_layers": 1, "n_heads": 1, "epochs": 3}


@pytest.fixture(scope="module")
def recommender() -> Recommender:
    return sasrec.train("synthetic:users=80,items=30,length=10", SMALL)


def test_saved_and_loaded_gives_the_same_scores(recommender: Recommender, tmp_path: Path) -> None:
    folder = recommender.save(tmp_path / "model")
    again = load(folder)
    histories, items = [["i1", "i2"], ["i3"]], ["i4", "i5", "nothing"]
    expected = recommender.score(histories, items)
    np.testing.assert_array_equal(again.score(histories, items), expected)
    assert np.isnan(expected[:, 2]).all()
    assert again.metrics == recommender.metrics
    assert again.settings == recommender.settings


def test_seen_items_are_left_out_by_default(recommender: Recommender) -> None:
    history = [["i1", "i2", "i3"]]
    [fresh] = recommender.recommend(history, k=100)
    [every] = recommender.recommend(history, k=100, exclude_seen=False)
    assert set(every.items) - set(fresh.items) == {"i1", "i2", "i3"}
    assert set(every.items) == set(recommender.items.entries)
    assert every.scores == sorted(every.scores, reverse=True)


def test_candidates_limit_the_recommendations(recommender: Recommender) -> None:
    [found] = recommender.recommend([["i1"]], k=5, candidates=["i7", "i9", "nothing"])
    assert set(found.items) == {"i7", "i9"}
    with pytest.raises(DataError, match="none of the candidates"):
        recommender.recommend([["i1"]], candidates=["nothing"])


def test_unknown_items_are_reported_and_skipped(recommender: Recommender) -> None:
    with_stranger, without = recommender.recommend([["i1", "x", "i2"], ["i1", "i2"]], k=4)
    assert with_stranger.unknown == ["x"]
    assert with_stranger.items == without.items
    assert not with_stranger.by_popularity


def test_an_unknown_history_gives_the_most_popular_items(recommender: Recommender) -> None:
    for each in recommender.recommend([[], ["x"]], k=3):
        assert each.by_popularity
        assert recommender.recent is not None
        best = np.sort(recommender.recent)[::-1][:3]
        assert each.scores == best.tolist()


def test_recommendations_do_not_depend_on_other_histories(recommender: Recommender) -> None:
    crowd = [[f"i{1 + (a * b) % 30}" for b in range(1 + a % 60)] for a in range(40)]
    together = recommender.recommend(crowd, k=5, exclude_seen=False)
    for history, expected in zip(crowd, together, strict=True):
        [alone] = recommender.recommend([history], k=5, exclude_seen=False)
        np.testing.assert_allclose(alone.scores, expected.scores, atol=1e-5)


def test_text_is_refused_as_a_history(recommender: Recommender) -> None:
    with pytest.raises(DataError, match="not the text 'i1'"):
        recommender.recommend(["i1"])
    with pytest.raises(DataError, match="k is 0"):
        recommender.recommend([["i1"]], k=0)


def test_data_frames_train_too() -> None:
    frame = pl.DataFrame({"user_id": [1, 1, 1, 1, 2, 2, 2, 2], "item_id": [7, 8, 9, 7, 8, 9, 7, 8]})
    trained = sasrec.train(frame, {**SMALL, "epochs": 1})
    assert set(trained.items.entries) == {"7", "8", "9"}
    of_pandas = pd.DataFrame(frame.to_dict(as_series=False))  # to_pandas would need pyarrow
    trained = sasrec.train(of_pandas, {**SMALL, "epochs": 1})
    assert set(trained.items.entries) == {"7", "8", "9"}


def test_failed_save_leaves_nothing(
    recommender: Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(ModelError, match="No space left on device"):
        recommender.save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_overwriting_must_be_requested(recommender: Recommender, tmp_path: Path) -> None:
    folder = recommender.save(tmp_path / "model")
    with pytest.raises(ModelError, match="already holds a model"):
        recommender.save(folder)
    recommender.save(folder, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    load(folder)


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("settings.json", "[]", "not a JSON object"),
        ("settings.json", "{", "cannot be read as JSON"),
        ("settings.json", '{"format": 99}', "upgrade"),
        ("settings.json", '{"format": 1, "model_name": "SASRec"}', "damaged or was edited"),
        (
            "vocabulary.json",
            '{"items": ["a"], "counts": [1], "titles": {}}',
            r"require the shape \[2, 16\]",
        ),
        (
            "vocabulary.json",
            '{"items": "a", "counts": [1], "titles": {}}',
            "is not a list of tokens",
        ),
        ("vocabulary.json", '{"items": ["a"], "counts": [-1], "titles": {}}', "whole numbers"),
        ("vocabulary.json", '{"items": ["a"], "counts": [1], "titles": {"a": 1}}', "is not text"),
        ("settings.json", '{"format": true}', "has no valid 'format'"),
        ("vocabulary.json", '{"items": ["a", "a"], "counts": [1], "titles": {}}', "damaged"),
        ("model.safetensors", "rubbish", "damaged"),
    ],
)
def test_a_damaged_folder_is_refused(
    recommender: Recommender, tmp_path: Path, name: str, content: str, text: str
) -> None:
    folder = unchecked(recommender.save(tmp_path / "model"))
    (folder / name).write_text(content)
    with pytest.raises(ModelError, match=text):
        load(folder)


def test_folder_holds_json_and_safetensors_only(recommender: Recommender, tmp_path: Path) -> None:
    folder = recommender.save(tmp_path / "model")
    for path in folder.iterdir():
        assert path.suffix in {".json", ".safetensors"}
        if path.suffix == ".json":
            json.loads(path.read_text())


def test_training_leaves_the_callers_random_numbers_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    sasrec.train("synthetic:users=40,items=30", {**SMALL, "epochs": 1})
    assert torch.equal(torch.rand(3), expected)


def test_a_full_disk_reported_by_safetensors_leaves_nothing(
    recommender: Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise SafetensorError("I/O error: No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(ModelError, match=r"model cannot be written: .*No space left"):
        recommender.save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_failed_overwrite_keeps_the_model_that_was_there(
    recommender: Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    folder = recommender.save(tmp_path / "model")
    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(ModelError, match="No space left"):
        recommender.save(folder, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    load(folder)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_is_not_a_model_is_never_replaced(
    recommender: Recommender, tmp_path: Path, overwrite: bool
) -> None:
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(ModelError, match="exists and is not a model folder"):
        recommender.save(tmp_path, overwrite=overwrite)
    with pytest.raises(ModelError, match="exists and is not a model folder"):
        recommender.save(tmp_path / "letters.txt", overwrite=overwrite)
    assert (tmp_path / "letters.txt").read_text() == "dear"


def test_a_mistyped_folder_suggests_the_models_beside_it(
    recommender: Recommender, tmp_path: Path
) -> None:
    recommender.save(tmp_path / "films")
    with pytest.raises(ModelError, match=r"filmz: no such model folder; did you mean 'films'"):
        load(tmp_path / "filmz")
    with pytest.raises(ModelError, match=r"folder \(models in .*: films\)"):
        load(tmp_path / "books")
    with pytest.raises(ModelError, match="no such model folder"):
        load(tmp_path / ("n" * 250))


def test_an_unfinished_training_says_how_to_resume(tmp_path: Path) -> None:
    folder = tmp_path / "films"
    (tmp_path / "films.training.safetensors").touch()
    told = re.escape(
        f"{folder} holds no model yet, because its training is unfinished; if it no longer runs, "
        f"continue it with 'sasrec train --resume {folder}'"
    )
    for read in (load, read_without_weights):
        with pytest.raises(ModelError, match=told):
            read(folder)


def test_a_folder_that_is_not_a_model_names_the_missing_files(
    recommender: Recommender, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="no such model folder"):
        load(tmp_path / "nowhere")
    with pytest.raises(ModelError, match="None is not a path; give the model folder"):
        load(None)  # type: ignore[arg-type]
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="no such model folder"):
        load(tmp_path / "file")
    with pytest.raises(
        ModelError, match=r"lacks settings\.json, vocabulary\.json, model\.safetensors"
    ):
        load(tmp_path)
    folder = recommender.save(tmp_path / "model")
    (folder / "vocabulary.json").unlink()
    with pytest.raises(ModelError, match=r"it lacks vocabulary\.json; give"):
        load(folder)


def unchecked(folder: Path) -> Path:
    """Turn a model folder into one like those of 0.1.0, which had no manifest."""
    (folder / "manifest.json").unlink()
    return folder


def edited(folder: Path, name: str, **changes: object) -> Path:
    """Change entries of a JSON file of a model folder, and remove its manifest."""
    unchecked(folder)
    content = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps({**content, **changes}))
    return folder


def test_a_newer_format_needs_an_upgrade(recommender: Recommender, tmp_path: Path) -> None:
    folder = edited(recommender.save(tmp_path / "model"), "settings.json", format=2, sasrec="9.1")
    with pytest.raises(ModelError, match=r"sasrec 9\.1 in format 2; .* reads up to format 1"):
        load(folder)


def test_weights_must_match_the_settings(recommender: Recommender, tmp_path: Path) -> None:
    wider = {**recommender.settings["model"], "hidden_size": 32}
    folder = edited(recommender.save(tmp_path / "model"), "settings.json", model=wider)
    with pytest.raises(
        ModelError,
        match=r"has shape \[31, 16\], but .* require the shape \[31, 32\]",
    ):
        load(folder)


def test_cut_off_weights_are_damaged(recommender: Recommender, tmp_path: Path) -> None:
    folder = recommender.save(tmp_path / "model")
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(ModelError, match="damaged"):
        load(folder)


@pytest.mark.parametrize("counts", [[], [5], [1, 2]])
def test_counts_must_match_the_items(
    recommender: Recommender, tmp_path: Path, counts: list[int]
) -> None:
    folder = edited(recommender.save(tmp_path / "model"), "vocabulary.json", counts=counts)
    with pytest.raises(
        ModelError, match=f"{len(recommender.items)} items and {len(counts)} counts"
    ):
        load(folder)


def test_padding_is_never_recommended_whatever_its_score(recommender: Recommender) -> None:
    loud = Recommender(
        model=copy.deepcopy(recommender.model),
        items=recommender.items,
        counts=np.concatenate(([10**9], recommender.counts[1:])),
        titles={},
        settings=recommender.settings,
    )
    with torch.no_grad():
        loud.model.item_table[0] = 1e6 * recommender.model.item_table[1:].mean(0)
    known = set(recommender.items.entries)
    for exclude in (True, False):
        for each in loud.recommend([["i1", "i2"], []], k=100, exclude_seen=exclude):
            assert set(each.items) <= known
            assert len(each.items) == len(set(each.items))


def test_the_list_is_empty_if_no_item_is_left(recommender: Recommender) -> None:
    [none] = recommender.recommend([recommender.items.entries.to_list()], k=3)
    assert none.items == none.scores == []
    assert recommender.recommend([], k=3) == []


def test_whole_numbers_are_tokens_too() -> None:
    frame = pl.DataFrame({"user_id": [1] * 5, "item_id": [7, 8, 9, 7, 8]})
    trained = sasrec.train(frame, {**SMALL, "epochs": 1})
    numbers, texts = trained.recommend([[7, 8], ["7", "8"]], k=1)  # type: ignore[list-item]
    assert numbers.items == texts.items == ["9"]
    assert numbers.unknown == []


def test_only_the_last_events_of_a_long_history_count(recommender: Recommender) -> None:
    known = recommender.items.entries.to_list()
    recent = [known[place % 7] for place in range(recommender.max_history)]
    [long] = recommender.recommend([[known[9], known[8], *recent]], k=5, exclude_seen=False)
    [short] = recommender.recommend([recent], k=5, exclude_seen=False)
    np.testing.assert_allclose(long.scores, short.scores, atol=1e-6)  # order of float32 sums
    assert long.items == short.items
    [shorter] = recommender.recommend([recent[1:]], k=5, exclude_seen=False)
    assert np.abs(np.subtract(shorter.scores, short.scores)).max() > 1e-5


def test_a_missing_gpu_is_reported_when_loading(
    recommender: Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = recommender.save(tmp_path / "model")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="no usable GPU; use 'cpu' or 'auto'"):
        load(folder, device="cuda")


def test_text_is_refused_as_candidates(recommender: Recommender) -> None:
    with pytest.raises(
        DataError, match="candidates must be a list of item tokens, not the text 'i7'"
    ):
        recommender.recommend([["i1"]], candidates="i7")


def test_foreign_files_are_never_replaced(recommender: Recommender, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "settings.json").write_text("{}")
    (folder / "thesis.txt").write_text("precious")
    for overwrite in (False, True):
        with pytest.raises(ModelError, match="exists and is not a model folder"):
            recommender.save(folder, overwrite=overwrite)
    model = recommender.save(tmp_path / "model")
    (model / "notes.txt").write_text("mine")
    with pytest.raises(ModelError, match="exists and is not a model folder"):
        recommender.save(model, overwrite=True)
    assert (folder / "thesis.txt").read_text() == "precious"


def test_a_failed_replacement_restores_the_old_model(
    recommender: Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = recommender.save(tmp_path / "model")
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if target == folder and not self.name.endswith(".old"):
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr("sasrec.system.folders.exchange_names", lambda first, second: False)
    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(ModelError, match="No space left"):
        recommender.save(folder, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    load(folder)


def test_a_link_to_a_model_stays_a_link(recommender: Recommender, tmp_path: Path) -> None:
    folder = recommender.save(tmp_path / "model")
    (tmp_path / "link").symlink_to(folder)
    recommender.save(tmp_path / "link", overwrite=True)
    assert (tmp_path / "link").is_symlink()
    load(tmp_path / "link")


def test_weights_that_are_not_finite_are_refused(recommender: Recommender, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = unchecked(recommender.save(tmp_path / "model"))
    weights = load_file(folder / "model.safetensors")
    weights["output_norm.bias"][0] = float("nan")
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(ModelError, match=r"'output_norm.bias' contains NaN or infinity"):
        load(folder)


@pytest.mark.parametrize(
    ("histories", "text"),
    [
        (None, "histories must be a list of lists of item tokens"),
        ("i1", "histories must be a list of lists of item tokens"),
        ([None], "a history must be a list of item tokens"),
        (["i1"], "a history must be a list of item tokens, not the text 'i1'"),
        ([[1.5]], "1.5 is neither"),
    ],
)
def test_invalid_histories_are_refused(
    recommender: Recommender, histories: object, text: str
) -> None:
    with pytest.raises(DataError, match=text):
        recommender.recommend(histories)  # type: ignore[arg-type]


def test_numbers_become_tokens() -> None:
    frame = pl.DataFrame({"user_id": [1, 1, 1, 2, 2, 2], "item_id": [7, 8, 9, 8, 7, 9]})
    trained = sasrec.train(frame, {**SMALL, "epochs": 1})
    by_number, by_text = (trained.score([["7"]], some) for some in ([8, 9], ["8", "9"]))
    np.testing.assert_array_equal(by_number, by_text)
    [found] = trained.recommend([["7"]], candidates=[9])  # type: ignore[list-item]
    assert found.items == ["9"]
    with pytest.raises(DataError, match="items must be a list of item tokens, not the text '8'"):
        trained.score([["7"]], "8")


def test_loading_a_model_loads_no_compiler(recommender: Recommender, tmp_path: Path) -> None:
    folder = recommender.save(tmp_path / "model")
    code = (
        "import sys; from sasrec.recommender.loading import load\n"
        f"load({str(folder)!r}).recommend([[]])\n"
        "print(*sorted(name for name in sys.modules if name.startswith('torch._dynamo')))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert printed.split() == []


@pytest.fixture(scope="module")
def by_time() -> Recommender:
    return sasrec.train("synthetic:users=80,items=30,length=10", SMALL | {"relative_bias": "time"})


def test_a_model_that_uses_times_also_works_without_them(
    by_time: Recommender,
) -> None:
    histories = [["i3", "i5", "i7"], [], ["i1", "unheard of"]]
    unknown = by_time.score(histories, ["i1", "i2"])
    slow = by_time.score(histories, ["i1", "i2"], times=[[0, 1, 2], [], [5, 6]])
    fast = by_time.score(histories, ["i1", "i2"], times=[[0, 1e5, 2e7], [], [5, 6]])
    assert not np.allclose(slow[0], fast[0])
    assert not np.allclose(slow[0], unknown[0])
    assert np.isfinite(unknown).all()
    assert np.array_equal(slow[1:], fast[1:])
    assert len(by_time.recommend(histories, 3, times=[[0, 1, 2], [], [5, 6]])[0].items) == 3


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([[0, 1]], "give one time for each event"),
        ([[0, "x", 2]], "of numbers or dates: 'x' is not; write all as numbers, or all as dates"),
        (
            [["03/04/2020"] * 3],
            "'03/04/2020' can be read with the day or the month first; write 2024",
        ),
        ([["2024-05-01", 3, "2024-05-02"]], "numbers or dates: '3' is not; write all as"),
        ([["2024-05-01", "", "2024-05-02"]], "times contain NaN"),
        ([[0, 1, float("nan")]], "times contain NaN"),
        (3, "a list of lists of numbers"),
    ],
)
def test_invalid_times_are_refused(by_time: Recommender, times: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        by_time.recommend([["i3", "i5", "i7"]], times=times)  # type: ignore[arg-type]


def test_data_without_times_cannot_train_a_model_that_uses_them() -> None:
    frame = pl.DataFrame({"user_id": list("aaaabbbb"), "item_id": list("12341234")})
    with pytest.raises(DataError, match="the data have none; set time_column"):
        sasrec.train(frame, SMALL | {"relative_bias": "time"})


def test_dates_and_times_become_seconds_as_in_the_data(by_time: Recommender) -> None:
    tokens = by_time.items.tokens([1, 2, 3])
    seconds = [86400.0 * day for day in (1, 2, 9)]
    expected = by_time.score([tokens], tokens, times=[seconds])
    days = np.array(seconds).astype("datetime64[s]").astype("datetime64[D]")
    timestamps = [datetime.fromtimestamp(each, UTC) for each in seconds]
    dates = [each.date() for each in timestamps]
    texts = [each.isoformat() for each in timestamps], [f"{each} 00:00:00Z" for each in dates]
    as_text = (*texts, [str(each) for each in dates], [str(each) for each in seconds])
    for given in (days, days.astype("datetime64[ns]"), timestamps, dates, *as_text):
        np.testing.assert_array_equal(by_time.score([tokens], tokens, times=[given]), expected)


@pytest.mark.parametrize(
    ("histories", "message"),
    [
        ([b"i1"], "a history must be a list of item tokens, not b'i1'"),
        ([bytearray(b"i1")], "a history must be a list of item tokens"),
        ([{"i1", "i2"}], "a set has no order"),
        (frozenset([("i1", "i2"), ("i3",)]), "a set has no order"),
        (pl.DataFrame({"history": ["i1", "i2"]}), "not a data frame"),
        (b"i1", "histories must be a list of lists of item tokens"),
    ],
)
def test_unordered_values_are_refused_as_histories(
    by_time: Recommender, histories: object, message: str
) -> None:
    for ask in (by_time.recommend, lambda given: by_time.score(given, ["i1"])):
        with pytest.raises(DataError, match=message):
            ask(histories)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="candidates must be a list of item tokens"):
        by_time.recommend([["i1"]], candidates=b"i1")  # type: ignore[arg-type]


def test_users_must_be_a_list() -> None:
    named = sasrec.train(
        pl.DataFrame({"user_id": ["a", "a", "a", "b", "b", "b"], "item_id": list("xyzxzy")}),
        {"epochs": 1},
        model="FPMC",
    )
    for users in (5, "a"):
        with pytest.raises(DataError, match="users must be a list of user tokens"):
            named.recommend([["x"]], users=users)  # type: ignore[arg-type]
    assert len(named.recommend([["x"]], k=np.int64(1), users=["a"])[0].items) == 1  # type: ignore[arg-type]


def answered_alone_and_together(model: Recommender, histories: list[list[str]], k: int) -> None:
    """Check that each list is the same alone and together with all others."""
    together = model.recommend(histories, k)
    alone = [model.recommend([history], k)[0] for history in histories]
    assert [each.items for each in together] == [each.items for each in alone]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one.scores, other.scores, rtol=1e-4, atol=1e-5)


def random_histories(model: Recommender, count: int, *, longest: int = 30) -> list[list[str]]:
    generator = np.random.default_rng(count)
    tokens = model.items.entries.to_list()
    return [
        [tokens[place] for place in generator.integers(len(tokens), size=size)]
        for size in generator.integers(1, longest, size=count)
    ]


CATALOGUE = 3000
FORMS = {
    "dot": {},
    "cosine": {"similarity": "cosine", "temperature": 0.05},
    "own output": {"tied_output": False},
}


def wide_frame() -> pl.DataFrame:
    """Return events of many items, each with a training event."""
    generator = np.random.default_rng(1)
    items = np.concatenate([generator.permutation(CATALOGUE)] * 3)
    users = np.arange(len(items)) % 300
    return pl.DataFrame({"user_id": users, "item_id": items, "timestamp": np.arange(len(items))})


@pytest.mark.parametrize("form", FORMS)
def test_a_list_does_not_depend_on_other_histories(form: str) -> None:
    model = sasrec.train(wide_frame(), {**SMALL, "epochs": 1, **FORMS[form]})
    answered_alone_and_together(model, random_histories(model, 400), k=20)


def test_a_list_of_nearly_equal_scores_does_not_depend_on_others() -> None:
    model = sasrec.train(wide_frame(), {**SMALL, "epochs": 1})
    with torch.no_grad():
        table = model.model.item_embedding.weight  # type: ignore[union-attr]
        near = 1 + 1e-6 * torch.randn(CATALOGUE, table.shape[1])  # type: ignore[union-attr]
        table[1:] = table[1:61].repeat(CATALOGUE // 60, 1) * near  # type: ignore[index,operator]
    answered_alone_and_together(model, random_histories(model, 200), k=10)


@pytest.mark.parametrize("name", ["SASRec", "GRU4Rec", "BERT4Rec", "FPMC", "TransRec", "Caser"])
def test_items_with_equal_vectors_are_in_vocabulary_order(name: str) -> None:
    own = {} if name == "SASRec" else {"loss": "BPR"} if name == "TransRec" else {}
    model = sasrec.train(wide_frame(), {"epochs": 1, **own}, model=name)
    copies = {each: each % 50 for each in range(1, CATALOGUE + 1)}
    with torch.no_grad():
        for weight in (*model.model.parameters(), *model.model.buffers()):
            if len(weight) in {CATALOGUE + 1, CATALOGUE + 2} and weight.ndim:
                weight[list(copies)] = weight[[copy + 1 for copy in copies.values()]].clone()
    histories = random_histories(model, 60)
    for found in model.recommend(histories, 70, exclude_seen=False):
        numbers = model.items.numbers(found.items)
        assert (np.diff(found.scores) <= 0).all()
        assert (np.diff(numbers)[np.diff(found.scores) == 0] > 0).all()
        # Each vector occurs sixty times: the list begins with all copies of the best one.
        assert len({int(number) % 50 for number in numbers[:60]}) == 1
    answered_alone_and_together(model, histories, k=10)


def new_items_frame() -> pl.DataFrame:
    """Return events in which some items are only test targets."""
    rows = []
    for user in range(60):
        for step in range(8):
            rows.append((f"u{user}", f"i{(user + step) % 20}", 100 * user + step))
        rows.append((f"u{user}", f"new{user % 9}", 100 * user + 50))
    return pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")


@pytest.fixture(scope="module")
def with_new_items() -> Recommender:
    return sasrec.train(new_items_frame(), SMALL)


def test_items_without_a_training_event_are_recommended_only_as_candidates(
    with_new_items: Recommender,
) -> None:
    new = {f"new{number}" for number in range(9)}
    assert set(with_new_items.untrained) == new
    for found in with_new_items.recommend([["i1", "i2"], []], 100, exclude_seen=False):
        assert len(found.items) == 20
        assert not new & set(found.items)
        assert found.untrained == []
    [named] = with_new_items.recommend([["i1"]], candidates=["new1", "i5"])
    assert set(named.items) == {"new1", "i5"}
    assert named.untrained == ["new1"]


def test_scores_and_histories_treat_items_without_a_training_event_as_unknown(
    with_new_items: Recommender, caplog: pytest.LogCaptureFixture
) -> None:
    scores = with_new_items.score([["i1"], ["new1"]], ["new1", "i5", "nothing"])
    assert np.isnan(scores).tolist() == [[True, False, True]] * 2
    assert "1 of the 3 items occur in no training event, such as 'new1'" in caplog.text
    mixed, without, only = with_new_items.recommend([["i1", "new1"], ["i1"], ["new1"]], 3)
    assert (mixed.items, mixed.unknown) == (without.items, ["new1"])
    assert only.by_popularity
    assert only.unknown == ["new1"]


def test_the_number_of_untrained_items_is_reported(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    trained = sasrec.train(new_items_frame(), {**SMALL, "epochs": 1}, out=tmp_path / "model")
    assert "9 of 29 items occur in no training event, such as 'new" in caplog.text
    saved = json.loads((tmp_path / "model" / "metrics.json").read_text())
    assert saved["untrained_items"] == trained.metrics["untrained_items"] == 9
    assert [each["count"] for each in saved["remarks"] if each["kind"] == "untrained_items"] == [9]
    assert load(tmp_path / "model").untrained == trained.untrained


@pytest.mark.parametrize("name", ["BPR", "FPMC", "TransRec", "Caser"])
def test_unknown_users_get_lists_marked_by_popularity(name: str) -> None:
    model = sasrec.train("synthetic:users=80,items=30,length=10", {"epochs": 2}, model=name)
    histories = [["i1", "i2"], ["i3"], [], ["i1", "i2"]]
    lists = model.recommend(histories, 5, users=[None, "a stranger", "u1", "u1"])
    by_popularity = [each.by_popularity for each in lists]
    if name == "BPR":  # BPR scores depend only on the user
        assert by_popularity == [True, True, False, False]
        assert model.score([["i1"]], ["i5"])[0, 0] == model.recent[model.items.numbers(["i5"])[0]]  # type: ignore[index]
        assert not set(lists[0].items) & {"i1", "i2"}
    else:
        assert by_popularity == [False, False, True, False]
    for found in lists:
        assert len(set(found.scores)) > 1
        assert found.scores == sorted(found.scores, reverse=True)


@pytest.mark.parametrize("name", ["BPR", "FPMC", "TransRec", "Caser"])
def test_users_without_a_training_target_get_no_personal_vector(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [(f"u{n}", f"i{n * step % 7}", step) for n in range(20) for step in range(8)]
    late = [(f"late{n}", f"i{(n + step) % 7}", 100 + step) for n in range(3) for step in range(5)]
    data = pl.DataFrame(rows + late, schema=["user_id", "item_id", "timestamp"], orient="row")
    trained = sasrec.train(data, {"epochs": 1, "split": "time"}, model=name, out=tmp_path / "model")
    assert "3 of 23 users have no training target, such as 'late0'" in caplog.text
    for model in (trained, load(tmp_path / "model")):
        asked = ["late1", None, "u1"]
        late1, unknown, known = model.recommend([["i1"]] * 3, 5, users=asked)  # type: ignore[list-item]
        assert late1 == unknown
        assert unknown.scores != known.scores
        assert late1.by_popularity == (name == "BPR")
        scores = model.score([["i1"]] * 3, ["i2", "i3"], users=asked)  # type: ignore[list-item]
        assert scores[0].tolist() == scores[1].tolist() != scores[2].tolist()


@pytest.mark.parametrize("name", ["SASRec", "FPMC", "GRU4Rec", "BPR"])
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"times": [[1.0, 2.0]]}, "histories: 2, lists of times: 1; give one"),
        ({"times": [[1.0], [2.0]]}, "give one time for each event"),
        ({"times": [["a", "b"], [1.0]]}, "a list of lists of numbers"),
        ({"times": [[1.0, float("nan")], [1.0]]}, "times contain NaN"),
        ({"times": [np.array(["2024-01-01", "NaT"], "M8[D]"), [1.0]]}, "times contain NaN"),
        ({"times": 3}, "a list of lists of numbers"),
        ({"times": [[10**400, 1.0], [1.0]]}, "a list of lists of numbers"),
        ({"times": [[1j, 1.0], [1.0]]}, "a list of lists of numbers"),
        ({"times": [np.array([1, 2], "m8[s]"), [1.0]]}, "a list of lists of numbers"),
        ({"users": {"u1", "u2"}}, "a set has no order"),
        ({"users": b"u1"}, "users must be a list of user tokens"),
        ({"users": ["u1"]}, "histories: 2, users: 1; give one"),
        ({"users": ["u1", "u2", "u3"]}, "histories: 2, users: 3; give one"),
        ({"users": "u1"}, "a list of user tokens"),
        ({"users": 7}, "a list of user tokens"),
        ({"users": [["u1"], None]}, "users must be a list of texts"),
    ],
)
def test_times_and_users_are_checked_by_every_model(
    models: dict[str, Recommender], name: str, given: dict[str, object], message: str
) -> None:
    for ask in (models[name].recommend, lambda *a, **b: list(models[name].recommend_iter(*a, **b))):
        with pytest.raises(DataError, match=message):
            ask([["i1", "i2"], ["i3"]], **given)
    with pytest.raises(DataError, match=message):
        models[name].score([["i1", "i2"], ["i3"]], ["i1"], **given)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def models() -> dict[str, Recommender]:
    data = "synthetic:users=60,items=30,length=8"
    return {
        name: sasrec.train(data, {"epochs": 1}, model=name)
        for name in ("SASRec", "FPMC", "GRU4Rec", "BPR")
    }


def test_the_most_popular_items_are_those_of_recent_events(tmp_path: Path) -> None:
    rows = [(f"u{n % 40}", f"old{n % 5}", n) for n in range(900)]
    rows += [(f"u{n % 40}", f"new{n % 3}", n) for n in range(900, 1200)]
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    settings = {**SMALL, "epochs": 1}
    late = sasrec.train(frame, settings, out=tmp_path / "late")
    [found] = late.recommend([[]], 3)
    assert {item[:3] for item in found.items} == {"new"}
    assert found.scores == sorted(found.scores, reverse=True)
    assert load(tmp_path / "late").recommend([[]], 3) == [found]
    [ever] = sasrec.train(frame, {**settings, "popularity_window": 1}).recommend([[]], 3)
    assert {item[:3] for item in ever.items} == {"old"}
    assert ever.scores[0] == late.counts.max()
    [untimed] = sasrec.train(frame.drop("timestamp"), settings).recommend([[]], 3)
    assert {item[:3] for item in untimed.items} == {"old"}


def test_a_folder_without_recent_counts_uses_all_counts(
    recommender: Recommender, tmp_path: Path
) -> None:
    folder = recommender.save(tmp_path / "model")
    (folder / "manifest.json").unlink()  # as in folders of 0.1.0
    words = json.loads((folder / "vocabulary.json").read_text())
    (folder / "vocabulary.json").write_text(json.dumps({**words, "recent": [1]}))
    with pytest.raises(ModelError, match="30 items and 1 recent"):
        load(folder)
    del words["recent"]
    (folder / "vocabulary.json").write_text(json.dumps(words))
    [found] = load(folder).recommend([[]], 3)
    assert found.scores == np.sort(recommender.counts)[::-1][:3].tolist()


def test_histories_are_read_in_chunks(
    recommender: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sasrec.recommender.histories.CHUNK", 4)
    read = 0

    def endless() -> Iterator[list[str]]:
        nonlocal read
        while True:
            read += 1
            yield [f"i{1 + read % 30}"]

    answers = recommender.recommend_iter(endless(), 3)
    some = [next(answers) for _ in range(6)]
    assert read == 8
    together = recommender.recommend([[f"i{1 + place % 30}"] for place in range(1, 7)], 3)
    assert [each.items for each in some] == [each.items for each in together]
    assert list(recommender.recommend_iter([], 3)) == []
    scores = recommender.score([["i1"]] * 9 + [[]], ["i2", "i3"])
    np.testing.assert_allclose(scores[:9], np.tile(scores[:1], (9, 1)), atol=1e-6)


def test_an_iterator_of_the_wrong_length_is_refused(
    recommender: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sasrec.recommender.histories.CHUNK", 4)
    for count in (3, 6, 9):
        with pytest.raises(
            DataError, match=r"histories: (4|8), users|more users than the 8 histories"
        ):
            list(recommender.recommend_iter(iter([["i1"]] * 8), 3, users=iter(["u1"] * count)))
    with pytest.raises(DataError, match="k is 0"):
        recommender.recommend_iter([["i1"]], 0)


def test_a_history_without_times_does_not_affect_the_others(by_time: Recommender) -> None:
    histories = [["i3", "i5", "i7"], ["i3", "i5", "i7"]]
    timed = [0, 1e5, 2e7]
    both = by_time.score(histories, ["i1", "i2"], times=[timed, None])
    np.testing.assert_allclose(both[:1], by_time.score(histories[:1], ["i1", "i2"], times=[timed]))
    np.testing.assert_allclose(both[1:], by_time.score(histories[1:], ["i1", "i2"]))


def test_the_item_table_is_cached_until_weights_change() -> None:
    class Counting(type(sasrec.train("synthetic:users=40,items=20", SMALL).model)):  # type: ignore[misc]
        made = 0

        @property
        def item_table(self) -> torch.Tensor:
            type(self).made += 1
            return super().item_table  # type: ignore[no-any-return]

    model = sasrec.train("synthetic:users=40,items=20", {**SMALL, **FORMS["cosine"]})
    model.model.__class__ = Counting
    before = model.score([["i1"]], ["i2", "i3"])
    for _ in range(3):
        model.recommend([["i1"]], 3)
    assert Counting.made == 1
    with torch.no_grad():
        model.model.item_embedding.weight[1:].neg_()  # type: ignore[union-attr,operator]
    assert not np.allclose(before, model.score([["i1"]], ["i2", "i3"]))
    assert Counting.made == 2


@pytest.mark.parametrize("threads", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("warm", [pytest.param(False, marks=pytest.mark.slow), True])
def test_a_forked_process_can_recommend(
    recommender: Recommender, tmp_path: Path, threads: int, warm: bool
) -> None:
    data = {**recommender.settings["data"], "clean_tokens": ["spaces", "unicode", "case"]}
    cleaning = replace(recommender, settings={**recommender.settings, "data": data})
    folder = cleaning.save(tmp_path / "model")
    code = f"""
import multiprocessing as mp, threading, numpy as np, polars as pl, torch, sasrec
model = sasrec.load({str(folder)!r})
pl.DataFrame({{"a": ["X"] * 9}}).lazy().select(pl.col("a").str.to_lowercase()).collect()
with torch.no_grad():
    model.model.item_embedding.weight.repeat(3000, 1)  # as large as the table of a large catalogue
if {warm}:
    model.recommend([["i1", "i2"]] * 300, 3)
    (torch.ones(600, 600) @ torch.ones(600, 600)).isfinite().all()
def ask(_):
    found = []
    def work():
        found.append(model.recommend([["i1", "i2"]] * 300, 3)[0].items)
        (torch.ones(600, 600) @ torch.ones(600, 600)).isfinite().all()
    work()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return found
with mp.get_context("fork").Pool(1) as pool:
    print(pool.apply_async(ask, (0,)).get(timeout=60))
"""
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
    )
    assert ended.returncode == 0, ended.stderr
    [expected] = recommender.recommend([["i1", "i2"]], 3)
    assert ended.stdout.strip() == str([expected.items] * 2)


@pytest.mark.parametrize("again", [False, True])
def test_tokens_are_cleaned_before_they_are_looked_up(tmp_path, again):
    rows = [(f" U{user}", f"Item {item % 4} ", item) for user in range(9) for item in range(8)]
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    settings = {"epochs": 1, "clean_tokens": "spaces,case"}
    recommender = sasrec.train(frame, settings, model="FPMC", out=tmp_path / "model")
    if again:
        recommender = sasrec.load(tmp_path / "model")
    [spelled] = recommender.recommend([["item 1", "item 2"]], 3, users=["u3"])
    [raw] = recommender.recommend(
        [[" ITEM 1", "Item 2 "]], 3, users=[" U3"], candidates=["ITEM 0", "item 3 "]
    )
    assert spelled.unknown == raw.unknown == []
    assert set(raw.items) == {"item 0", "item 3"}
    some = recommender.score([["item 1"]], ["ITEM 3 "], users=["U3"])
    assert some == recommender.score([["item 1"]], ["item 3"], users=["u3"])
