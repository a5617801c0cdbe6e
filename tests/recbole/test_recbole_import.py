"""RecBole's checkpoints are imported; vectors and scores stay the same."""

import json
import pickle
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import save_file

from sasrec.cli.app import main
from sasrec.data.sources import load_corpus
from sasrec.errors import ModelError
from sasrec.evaluation.report import Report
from sasrec.recbole.checkpoint import ITEMS, SCRIPT, USERS, read_checkpoint
from sasrec.recbole.importing import import_model, resolve_import
from sasrec.recommender.recommender import Recommender
from sasrec.settings.files import Layer
from sasrec.settings.origin import PYTHON

VECTORS = Path(__file__).parents[1] / "golden" / "sasrec_ce_swish_3layers_1head_eps.npz"
SIZES = {
    "hidden_size": 16,
    "inner_size": 32,
    "n_layers": 3,
    "n_heads": 1,
    "hidden_act": "swish",
    "layer_norm_eps": 1e-5,
    "hidden_dropout_prob": 0.5,
    "attn_dropout_prob": 0.5,
    "initializer_range": 0.02,
    "loss_type": "CE",
    "MAX_ITEM_LIST_LENGTH": 20,
}


def as_bytes(tokens: list[str]) -> torch.Tensor:
    """Return a token table as the script writes it."""
    return torch.frombuffer(bytearray(json.dumps(tokens).encode()), dtype=torch.uint8)


def numbers(n_items: int = 1682) -> list[str]:
    """Return 1, 2, 3 and so on as tokens."""
    return [str(number) for number in range(1, n_items + 1)]


def written(
    path: Path, items: list[str] | None = None, users: tuple[str, ...] = ("u",), **changes: object
) -> dict[str, np.ndarray]:
    """Write RecBole's weights as the script does; return all vectors."""
    with np.load(VECTORS) as arrays:
        vectors = {key: arrays[key] for key in arrays.files}
    weights = {
        key.removeprefix("weight/"): torch.from_numpy(value)
        for key, value in vectors.items()
        if key.startswith("weight/")
    }
    tables = {ITEMS: as_bytes(items or numbers()), USERS: as_bytes(list(users))}
    save_file({**weights, **tables}, path, {"config": json.dumps({**SIZES, **changes})})
    return vectors


def imported(path: Path, frame: pl.DataFrame) -> tuple[Recommender, Report]:
    """Return the recommender and its metrics, imported with data in a data frame."""
    checkpoint = read_checkpoint(path)
    run = resolve_import(checkpoint.values, [])
    return import_model(checkpoint, load_corpus(frame, run.data), run)


def catalogue(n_items: int = 1682) -> pl.DataFrame:
    """Return data whose items are numbered 1, 2, 3 and so on."""
    return pl.DataFrame(
        {"user_id": ["u"] * n_items, "item_id": [str(number) for number in range(1, n_items + 1)]}
    )


def test_scores_of_an_imported_model_are_recboles(tmp_path: Path) -> None:
    vectors = written(tmp_path / "sasrec.safetensors")
    recommender, report = imported(tmp_path / "sasrec.safetensors", catalogue())
    histories = [
        [str(item) for item in row[:length]]
        for row, length in zip(vectors["item_seq"], vectors["item_length"], strict=True)
    ]
    scores = recommender.score(histories, numbers())
    np.testing.assert_allclose(scores, vectors["scores"][:, 1:], atol=1e-4)
    assert report.test


def test_vectors_belong_to_recboles_tokens_in_any_order_of_the_data(tmp_path: Path) -> None:
    vectors = written(tmp_path / "sasrec.safetensors")
    recommender, _ = imported(tmp_path / "sasrec.safetensors", catalogue().reverse())
    history = [str(item) for item in vectors["item_seq"][0][: vectors["item_length"][0]]]
    [scores] = recommender.score([history], numbers())
    np.testing.assert_allclose(scores, vectors["scores"][0, 1:], atol=1e-4)


@pytest.mark.parametrize(
    ("items", "users", "text"),
    [
        (
            [*numbers(1681), "x"],
            ("u",),
            "data frame has 1 item that the checkpoint does not have, such as '1682'; use",
        ),
        (numbers(), ("v",), "has 1 user that the checkpoint does not have, such as 'u'"),
        (numbers(1681), ("u",), "vectors for 1,682 items but tokens for 1,681"),
    ],
)
def test_other_tokens_are_refused(
    tmp_path: Path, items: list[str], users: tuple[str, ...], text: str
) -> None:
    written(tmp_path / "sasrec.safetensors", items=items, users=users)
    with pytest.raises(ModelError, match=text):
        imported(tmp_path / "sasrec.safetensors", catalogue())


def test_other_data_are_refused(tmp_path: Path) -> None:
    written(tmp_path / "sasrec.safetensors")
    text = "the checkpoint has 1,652 items that data frame does not have, such as '31'; use"
    with pytest.raises(ModelError, match=text):
        imported(tmp_path / "sasrec.safetensors", catalogue(30))


def test_a_checkpoint_without_tokens_cannot_be_checked_and_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "old.safetensors"
    save_file({"item_embedding.weight": torch.zeros(3, 2)}, path, {"config": json.dumps(SIZES)})
    text = "no token tables, which map vectors to items; convert"
    with pytest.raises(ModelError, match=text):
        read_checkpoint(path)


@pytest.mark.parametrize("table", [b"[1, 2]", b"{}", b"[", b'["a", "a"]', b"\xff"])
def test_invalid_token_tables_are_refused(tmp_path: Path, table: bytes) -> None:
    path = tmp_path / "odd.safetensors"
    tensors = {ITEMS: torch.frombuffer(bytearray(table), dtype=torch.uint8)}
    save_file(tensors, path, {"config": json.dumps(SIZES)})
    with pytest.raises(ModelError, match="is damaged: tokens/items"):
        read_checkpoint(path)


def test_filters_come_from_the_checkpoint_and_can_be_overridden(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    written(path, user_inter_num_interval="[5,inf)", normalize_all=True, rm_dup_inter="last")
    values = read_checkpoint(path).values
    run = resolve_import(values, [Layer(PYTHON, {"duplicates": "first"})])
    assert (run.data.user_interactions, run.data.duplicates) == ("[5,inf)", "first")
    assert run.data.time_rounding("shop") == "scaled"


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "a.safetensors", model="GRU4Rec")
    with pytest.raises(ModelError, match="holds RecBole's GRU4Rec; only SASRec"):
        read_checkpoint(tmp_path / "a.safetensors")


def test_weights_of_other_sizes_are_refused(tmp_path: Path) -> None:
    written(tmp_path / "sasrec.safetensors", n_layers=4)
    with pytest.raises(ModelError, match="not the weights of RecBole's SASRec"):
        imported(tmp_path / "sasrec.safetensors", catalogue())


def test_a_pickle_is_not_read_and_refused_with_instructions(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path(tmp_path / "executed").write_text, ("yes",))

    (tmp_path / "SASRec.pth").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ModelError, match=r"is a pickle.*convert\.py.*where RecBole is installed"):
        read_checkpoint(tmp_path / "SASRec.pth")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(("content", "text"), [(b"rubbish", "is damaged"), (None, "no such file")])
def test_files_that_are_not_safetensors_are_refused(
    tmp_path: Path, content: bytes | None, text: str
) -> None:
    if content is not None:
        (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=text):
        read_checkpoint(tmp_path / "a.safetensors")


def test_weights_without_sizes_are_refused(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match="does not hold the sizes of the model"):
        read_checkpoint(tmp_path / "a.safetensors")


def test_the_script_runs_and_its_file_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with np.load(VECTORS) as arrays:
        weights = {
            key.removeprefix("weight/"): torch.from_numpy(arrays[key])
            for key in arrays.files
            if key.startswith("weight/")
        }

    class Config(dict[str, object]):
        def __missing__(self, key: str) -> None:
            return None

        def compatibility_settings(self) -> None:
            pass

    fields = {"USER_ID_FIELD": "user_id", "ITEM_ID_FIELD": "item_id"}
    config = Config(SIZES | fields | {"model": "SASRec"})
    tables = {"item_id": np.array(["[PAD]", *numbers()]), "user_id": np.array(["[PAD]", "u"])}
    dataset = SimpleNamespace(field2id_token=tables, item_num=1683)
    peer = ModuleType("recbole.data")
    peer.create_dataset = lambda config: dataset  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "recbole", ModuleType("recbole"))
    monkeypatch.setitem(sys.modules, "recbole.data", peer)
    monkeypatch.setattr(torch, "load", lambda *_, **__: {"config": config, "state_dict": weights})
    target = tmp_path / "out.safetensors"
    monkeypatch.setattr(sys, "argv", ["convert.py", "in.pth", str(target)])
    exec(compile(SCRIPT, "convert.py", "exec"), {})
    read = read_checkpoint(target)
    assert read.values == {**SIZES, **fields}
    assert read.items.entries.to_list() == numbers()
    assert all(torch.equal(read.weights[name], weights[name]) for name in weights)
    dataset.item_num = 1700
    with pytest.raises(SystemExit, match="has 1682 items and the data have 1699"):
        exec(compile(SCRIPT, "convert.py", "exec"), {})


def test_the_command_imports_and_saves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "sasrec.safetensors")
    catalogue().write_csv(tmp_path / "films.csv")
    words = ["import-recbole", "sasrec.safetensors", "-d", "films.csv", "--out", "moved"]
    for words_now, code, text in (
        (words, 0, "model saved in moved"),
        (words, 2, "already holds a model"),
        (["import-recbole", "--script"], 0, "save_file(weights"),
        (["import-recbole"], 2, "give the converted checkpoint FILE"),
    ):
        monkeypatch.setattr(sys, "argv", ["sasrec", *words_now])
        with pytest.raises(SystemExit) as leaving:
            main()
        printed = capsys.readouterr()
        assert leaving.value.code == code
        assert text in printed.out + printed.err
