"""RecBole's checkpoints become our models; the vectors are RecBole's own."""

import json
import pickle
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import save_file

from sasrec.cli.app import main
from sasrec.data.sources import load_corpus
from sasrec.errors import ModelError
from sasrec.recbole_import import SCRIPT, import_model, read_checkpoint, resolve_import
from sasrec.settings import DataSettings

VECTORS = Path(__file__).parent / "golden" / "sasrec_ce_swish_3layers_1head_eps.npz"
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


def written(path: Path, **changes: object) -> dict[str, np.ndarray]:
    """Write RecBole's weights as the script does; return all vectors."""
    with np.load(VECTORS) as arrays:
        vectors = {key: arrays[key] for key in arrays.files}
    weights = {
        key.removeprefix("weight/"): torch.from_numpy(value)
        for key, value in vectors.items()
        if key.startswith("weight/")
    }
    save_file(weights, path, {"config": json.dumps({**SIZES, **changes})})
    return vectors


def catalogue(n_items: int = 1682) -> pl.DataFrame:
    """Return data whose items are numbered 1, 2, 3 and so on."""
    return pl.DataFrame(
        {"user_id": ["u"] * n_items, "item_id": [str(number) for number in range(1, n_items + 1)]}
    )


def test_scores_of_an_imported_model_are_recboles(tmp_path: Path) -> None:
    vectors = written(tmp_path / "sasrec.safetensors")
    weights, sizes = read_checkpoint(tmp_path / "sasrec.safetensors")
    run = resolve_import(sizes, {})
    recommender, report = import_model(weights, load_corpus(catalogue(), run.data), run)
    histories = [
        [str(item) for item in row[:length]]
        for row, length in zip(vectors["item_seq"], vectors["item_length"], strict=True)
    ]
    scores = recommender.score(histories, recommender.items.entries.to_list())
    np.testing.assert_allclose(scores, vectors["scores"][:, 1:], atol=1e-4)
    assert report.test


def test_other_data_are_refused(tmp_path: Path) -> None:
    written(tmp_path / "sasrec.safetensors")
    weights, sizes = read_checkpoint(tmp_path / "sasrec.safetensors")
    corpus = load_corpus(catalogue(30), DataSettings())
    with pytest.raises(ModelError, match=r"has 1,682 items and data frame has 30; give the data"):
        import_model(weights, corpus, resolve_import(sizes, {}))


def test_weights_of_other_sizes_are_refused(tmp_path: Path) -> None:
    written(tmp_path / "sasrec.safetensors", n_layers=4)
    weights, sizes = read_checkpoint(tmp_path / "sasrec.safetensors")
    run = resolve_import(sizes, {})
    with pytest.raises(ModelError, match="not the weights of RecBole's SASRec"):
        import_model(weights, load_corpus(catalogue(), run.data), run)


def test_a_pickle_is_refused_unread_with_the_way_out(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path(tmp_path / "executed").write_text, ("yes",))

    (tmp_path / "SASRec.pth").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ModelError, match=r"is a pickle.*convert\.py.*where RecBole is installed"):
        read_checkpoint(tmp_path / "SASRec.pth")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(("content", "text"), [(b"rubbish", "is damaged"), (None, "no such file")])
def test_what_is_no_file_of_weights_is_refused(
    tmp_path: Path, content: bytes | None, text: str
) -> None:
    if content is not None:
        (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=text):
        read_checkpoint(tmp_path / "a.safetensors")


def test_weights_without_sizes_are_refused(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match="names no sizes"):
        read_checkpoint(tmp_path / "a.safetensors")


def test_the_script_is_python_and_writes_what_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with np.load(VECTORS) as arrays:
        weights = {
            key.removeprefix("weight/"): torch.from_numpy(arrays[key])
            for key in arrays.files
            if key.startswith("weight/")
        }
    torch.save({"config": SIZES, "state_dict": weights}, tmp_path / "in.pth")
    monkeypatch.setattr(
        sys, "argv", ["convert.py", str(tmp_path / "in.pth"), str(tmp_path / "out.safetensors")]
    )
    exec(compile(SCRIPT, "convert.py", "exec"), {})
    read, sizes = read_checkpoint(tmp_path / "out.safetensors")
    assert sizes == SIZES
    assert all(torch.equal(read[name], weights[name]) for name in weights)


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
        (["import-recbole"], 2, "give the checkpoint"),
    ):
        monkeypatch.setattr(sys, "argv", ["sasrec", *words_now])
        with pytest.raises(SystemExit) as leaving:
            main()
        printed = capsys.readouterr()
        assert leaving.value.code == code
        assert text in printed.out + printed.err
