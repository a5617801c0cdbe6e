"""A reader of exports that knows nothing but ``docs/export.md``: JSON, NumPy and ONNX Runtime."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime


class Reader:
    """Recommends from an export."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.serving = json.loads((folder / "serving.json").read_text())
        vocabulary = json.loads((folder / "vocabulary.json").read_text())
        self.items: list[str] = vocabulary["items"]
        self.numbers = {token: number for number, token in enumerate(self.items, start=1)}
        users = enumerate(vocabulary.get("users", []), start=1)
        self.users = {token: number for number, token in users}
        if (folder / "trained_users.npy").exists():
            known = self._array("trained_users")
            self.users = {token: number for token, number in self.users.items() if known[number]}
        self.trained, self.popularity = self._array("trained"), self._array("popularity")
        has_vectors = self.serving["network"]["output"] == "states"
        self.vectors = self._array("item_vectors") if has_vectors else None
        self.session = onnxruntime.InferenceSession(
            folder / "network.onnx", providers=["CPUExecutionProvider"]
        )

    def _array(self, name: str) -> np.ndarray:
        found: np.ndarray = np.load(self.folder / f"{name}.npy", mmap_mode="r")
        return found

    def recommend(
        self, histories: list[dict[str, Any]], k: int = 10
    ) -> list[tuple[list[str], np.ndarray]]:
        """Return the list of each history with its scores; one batch for all of them."""
        rows = [np.array([self.numbers.get(t, 0) for t in h["history"]], int) for h in histories]
        scores = np.tile(self.popularity.astype(np.float32), (len(rows), 1))
        if usable := [
            index for index, row in enumerate(rows) if self._is_usable(row, histories[index])
        ]:
            scores[usable] = self._scores([(rows[index], histories[index]) for index in usable])
        found = []
        for row, own in zip(rows, scores, strict=True):
            allowed = self.trained.copy()
            allowed[row] = False
            numbers = np.flatnonzero(allowed)
            best = numbers[np.argsort(-own[numbers], kind="stable")][:k]
            found.append(([self.items[number - 1] for number in best], own[best]))
        return found

    def _is_usable(self, row: np.ndarray, history: dict[str, Any]) -> bool:
        if self.serving["needs_users"]:
            return history.get("user") in self.users
        return bool(self.trained[row].any())

    def _scores(self, some: list[tuple[np.ndarray, dict[str, Any]]]) -> np.ndarray:
        longest, names = self.serving["max_history"], self.serving["event_types"]
        inputs: dict[str, list[Any]] = {name: [] for name in self.serving["network"]["inputs"]}
        for row, history in some:
            known = np.flatnonzero(self.trained[row])[-longest:]
            if self.serving["needs_users"]:
                known, row = np.zeros(1, int), np.zeros(1, int)
            given = history.get("types") or [None] * len(row)
            asked = history.get("next_type")
            values = {
                "items": row[known],
                "lengths": len(known),
                "times": np.array(history.get("times") or [np.nan] * len(row))[known],
                "users": self.users.get(history.get("user"), 0),
                "types": np.array([names.index(t) + 1 if t in names else 0 for t in given], int)[
                    known
                ],
                "next_type": names.index(asked) + 1 if asked in names else 0,
            }
            for name, each in inputs.items():
                each.append(values[name])
        output = self.session.run(None, {n: _padded(n, v) for n, v in inputs.items()})[0]
        return output if self.vectors is None else output @ self.vectors.T


def _padded(name: str, values: list[Any]) -> np.ndarray:
    dtype = np.float64 if name == "times" else np.int64
    if name in {"lengths", "users", "next_type"}:
        return np.array(values, dtype)
    rows = np.zeros((len(values), max(map(len, values))), dtype)
    for row, each in zip(rows, values, strict=True):
        row[: len(each)] = each
    return rows
