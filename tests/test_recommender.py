import copy
import json
import subprocess
import sys
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
from sasrec.loading import load
from sasrec.recommender import Recommender

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


def test_seen_items_are_left_out_unless_wanted(recommender: Recommender) -> None:
    history = [["i1", "i2", "i3"]]
    [fresh] = recommender.recommend(history, k=100)
    [every] = recommender.recommend(history, k=100, exclude_seen=False)
    assert set(every.items) - set(fresh.items) == {"i1", "i2", "i3"}
    assert set(every.items) == set(recommender.items.entries)
    assert every.scores == sorted(every.scores, reverse=True)


def test_candidates_limit_the_choice(recommender: Recommender) -> None:
    [found] = recommender.recommend([["i1"]], k=5, candidates=["i7", "i9", "nothing"])
    assert set(found.items) == {"i7", "i9"}
    with pytest.raises(DataError, match="none of the candidates"):
        recommender.recommend([["i1"]], candidates=["nothing"])


def test_unknown_items_are_reported_and_skipped(recommender: Recommender) -> None:
    with_stranger, without = recommender.recommend([["i1", "x", "i2"], ["i1", "i2"]], k=4)
    assert with_stranger.unknown == ["x"]
    assert with_stranger.items == without.items
    assert not with_stranger.by_popularity


def test_nothing_known_gives_the_most_popular_and_says_so(recommender: Recommender) -> None:
    for each in recommender.recommend([[], ["x"]], k=3):
        assert each.by_popularity
        best = np.sort(recommender.counts)[::-1][:3]
        assert each.scores == best.tolist()


def test_alone_or_in_a_crowd_the_answer_is_the_same(recommender: Recommender) -> None:
    crowd = [[f"i{1 + (a * b) % 30}" for b in range(1 + a % 60)] for a in range(40)]
    together = recommender.recommend(crowd, k=5, exclude_seen=False)
    for history, expected in zip(crowd, together, strict=True):
        [alone] = recommender.recommend([history], k=5, exclude_seen=False)
        np.testing.assert_allclose(alone.scores, expected.scores, atol=1e-5)


def test_plain_text_is_no_history(recommender: Recommender) -> None:
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


def test_overwriting_must_be_asked_for(recommender: Recommender, tmp_path: Path) -> None:
    folder = recommender.save(tmp_path / "model")
    with pytest.raises(ModelError, match="already holds a model"):
        recommender.save(folder)
    recommender.save(folder, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    load(folder)


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("settings.json", "[]", "no JSON object"),
        ("settings.json", "{", "cannot be read as JSON"),
        ("settings.json", '{"format": 99}', "upgrade"),
        ("settings.json", '{"format": 1, "model_name": "SASRec"}', "damaged or was edited"),
        ("vocabulary.json", '{"items": ["a"], "counts": [1], "titles": {}}', "asks for"),
        ("vocabulary.json", '{"items": "a", "counts": [1], "titles": {}}', "no list of tokens"),
        ("vocabulary.json", '{"items": ["a"], "counts": [-1], "titles": {}}', "whole numbers"),
        ("vocabulary.json", '{"items": ["a"], "counts": [1], "titles": {"a": 1}}', "no text"),
        ("settings.json", '{"format": true}', "names no format"),
        ("vocabulary.json", '{"items": ["a", "a"], "counts": [1], "titles": {}}', "damaged"),
        ("model.safetensors", "rubbish", "damaged"),
    ],
)
def test_damaged_folder_is_refused_in_words(
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


def test_full_disk_as_safetensors_reports_it_leaves_nothing(
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
def test_folder_that_is_no_model_is_never_replaced(
    recommender: Recommender, tmp_path: Path, overwrite: bool
) -> None:
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(ModelError, match="exists and is no model folder"):
        recommender.save(tmp_path, overwrite=overwrite)
    with pytest.raises(ModelError, match="exists and is no model folder"):
        recommender.save(tmp_path / "letters.txt", overwrite=overwrite)
    assert (tmp_path / "letters.txt").read_text() == "dear"


def test_a_mistyped_folder_is_answered_with_the_models_that_are_there(
    recommender: Recommender, tmp_path: Path
) -> None:
    recommender.save(tmp_path / "films")
    with pytest.raises(ModelError, match=r"filmz: no such model folder; did you mean 'films'"):
        load(tmp_path / "filmz")
    with pytest.raises(ModelError, match=r"folder \(models in .*: films\)"):
        load(tmp_path / "books")


def test_folder_that_is_no_model_says_what_is_missing(
    recommender: Recommender, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="no such model folder"):
        load(tmp_path / "nowhere")
    with pytest.raises(ModelError, match="None names no model folder; give its path"):
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
    """Make a model folder like those of 0.1.0, which had no manifest."""
    (folder / "manifest.json").unlink()
    return folder


def edited(folder: Path, name: str, **changes: object) -> Path:
    """Change entries of a JSON file of a model folder that is not compared with its manifest."""
    unchecked(folder)
    content = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps({**content, **changes}))
    return folder


def test_newer_format_asks_for_an_upgrade(recommender: Recommender, tmp_path: Path) -> None:
    folder = edited(recommender.save(tmp_path / "model"), "settings.json", format=2, sasrec="9.1")
    with pytest.raises(ModelError, match=r"sasrec 9\.1 in format 2; .* reads up to format 1"):
        load(folder)


def test_weights_must_fit_the_settings(recommender: Recommender, tmp_path: Path) -> None:
    wider = {**recommender.settings["model"], "hidden_size": 32}
    folder = edited(recommender.save(tmp_path / "model"), "settings.json", model=wider)
    with pytest.raises(
        ModelError, match=r"has shape \[31, 16\], where settings.json asks for \[31, 32\]"
    ):
        load(folder)


def test_cut_off_weights_are_damaged(recommender: Recommender, tmp_path: Path) -> None:
    folder = recommender.save(tmp_path / "model")
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(ModelError, match="damaged"):
        load(folder)


@pytest.mark.parametrize("counts", [[], [5], [1, 2]])
def test_counts_must_fit_the_items(
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


def test_nothing_left_to_recommend_is_an_empty_list(recommender: Recommender) -> None:
    [none] = recommender.recommend([recommender.items.entries.to_list()], k=3)
    assert none.items == none.scores == []
    assert recommender.recommend([], k=3) == []


def test_whole_numbers_are_tokens_too() -> None:
    frame = pl.DataFrame({"user_id": [1, 1, 1, 1], "item_id": [7, 8, 9, 7]})
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


def test_missing_gpu_is_said_when_loading(
    recommender: Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = recommender.save(tmp_path / "model")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="no usable GPU; use 'cpu' or 'auto'"):
        load(folder, device="cuda")


def test_plain_text_is_no_list_of_candidates(recommender: Recommender) -> None:
    with pytest.raises(DataError, match="candidates are a list of item tokens, not the text 'i7'"):
        recommender.recommend([["i1"]], candidates="i7")


def test_foreign_files_are_never_replaced(recommender: Recommender, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "settings.json").write_text("{}")
    (folder / "thesis.txt").write_text("precious")
    for overwrite in (False, True):
        with pytest.raises(ModelError, match="exists and is no model folder"):
            recommender.save(folder, overwrite=overwrite)
    model = recommender.save(tmp_path / "model")
    (model / "notes.txt").write_text("mine")
    with pytest.raises(ModelError, match="exists and is no model folder"):
        recommender.save(model, overwrite=True)
    assert (folder / "thesis.txt").read_text() == "precious"


def test_a_swap_that_fails_puts_the_old_model_back(
    recommender: Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = recommender.save(tmp_path / "model")
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if target == folder and not self.name.endswith(".old"):
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr("sasrec.model_folder.exchanged", lambda first, second: False)
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


def test_weights_that_are_no_numbers_are_refused(recommender: Recommender, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = unchecked(recommender.save(tmp_path / "model"))
    weights = load_file(folder / "model.safetensors")
    weights["output_norm.bias"][0] = float("nan")
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(
        ModelError, match=r"'output_norm.bias' holds values that are no finite numbers"
    ):
        load(folder)


@pytest.mark.parametrize(
    ("histories", "text"),
    [
        (None, "histories are a list of lists of item tokens"),
        ("i1", "histories are a list of lists of item tokens"),
        ([None], "a history is a list of item tokens"),
        (["i1"], "a history is a list of item tokens, not the text 'i1'"),
        ([[1.5]], "1.5 is neither"),
    ],
)
def test_what_is_no_history_is_refused(
    recommender: Recommender, histories: object, text: str
) -> None:
    with pytest.raises(DataError, match=text):
        recommender.recommend(histories)  # type: ignore[arg-type]


def test_numbers_are_taken_as_the_tokens_they_spell() -> None:
    frame = pl.DataFrame({"user_id": [1, 1, 1, 2, 2, 2], "item_id": [7, 8, 9, 8, 7, 9]})
    trained = sasrec.train(frame, {**SMALL, "epochs": 1})
    by_number, by_text = (trained.score([["7"]], some) for some in ([8, 9], ["8", "9"]))
    np.testing.assert_array_equal(by_number, by_text)
    [found] = trained.recommend([["7"]], candidates=[9])  # type: ignore[list-item]
    assert found.items == ["9"]
    with pytest.raises(DataError, match="items are a list of item tokens, not the text '8'"):
        trained.score([["7"]], "8")


def test_loading_a_model_loads_no_compiler(recommender: Recommender, tmp_path: Path) -> None:
    folder = recommender.save(tmp_path / "model")
    code = (
        "import sys; from sasrec.loading import load\n"
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


def test_times_matter_to_a_model_that_looks_at_them_and_may_be_unknown(
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
        ([[0, 1]], "one for each event"),
        ([[0, "x", 2]], "a list of lists of numbers"),
        ([[0, 1, float("nan")]], "no finite number"),
        (3, "a list of lists of numbers"),
    ],
)
def test_times_that_do_not_fit_are_said(by_time: Recommender, times: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        by_time.recommend([["i3", "i5", "i7"]], times=times)  # type: ignore[arg-type]


def test_data_without_times_cannot_train_a_model_that_looks_at_them() -> None:
    frame = pl.DataFrame({"user_id": list("aaaabbbb"), "item_id": list("12341234")})
    with pytest.raises(DataError, match="the data have none; name their column"):
        sasrec.train(frame, SMALL | {"relative_bias": "time"})


def test_moments_of_any_kind_are_the_seconds_of_the_data(by_time: Recommender) -> None:
    tokens = by_time.items.tokens([1, 2, 3])
    seconds = [86400.0 * day for day in (1, 2, 9)]
    expected = by_time.score([tokens], tokens, times=[seconds])
    days = np.array(seconds).astype("datetime64[s]").astype("datetime64[D]")
    moments = [datetime.fromtimestamp(each, UTC) for each in seconds]
    for given in (days, days.astype("datetime64[ns]"), moments):
        np.testing.assert_array_equal(by_time.score([tokens], tokens, times=[given]), expected)


def test_people_are_a_list() -> None:
    named = sasrec.train(
        pl.DataFrame({"user_id": ["a", "a", "a", "b", "b", "b"], "item_id": list("xyzxzy")}),
        {"epochs": 1},
        model="FPMC",
    )
    for users in (5, "a"):
        with pytest.raises(DataError, match="users are a list of user tokens"):
            named.recommend([["x"]], users=users)  # type: ignore[arg-type]
    assert len(named.recommend([["x"]], k=np.int64(1), users=["a"])[0].items) == 1  # type: ignore[arg-type]
