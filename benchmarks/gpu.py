"""How fast is training on a GPU? Targets per second, share of peak matrix throughput, memory.

    python benchmarks/gpu.py [--folder DATA] [--out FILE]

First compares implementations of the softmax over the catalogue (Liger and cut-cross-entropy if
they are installed), then epochs of several models: with packed or padded windows, and with or
without torch.compile. Times are medians; memory is the peak memory that PyTorch allocated.
"""

import argparse
import csv
import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nested import nested_tensor_from_jagged

from common import random_split, training_loop, useful_flop
from sasrec.data.sources import load_corpus
from sasrec.data.splits import Split, leave_one_out
from sasrec.losses.full import softmax_cross_entropy, softmax_cross_entropy_plain
from sasrec.models.parts import attention_paths
from sasrec.settings.resolve import RunSettings, resolve_settings

GPU = torch.device("cuda", 0)
Rows = list[dict]


def main() -> None:
    """Print the tables; write the rows as CSV if --out is given."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument(
        "--folder", type=Path, help="folder with amazon-beauty in RecBole's format"
    )
    arguments.add_argument("--out", type=Path)
    arguments.add_argument("--compile", action="store_true", help="time torch.compile too")
    given = arguments.parse_args()
    print(f"{torch.cuda.get_device_name(GPU)}, torch {torch.__version__}")
    peaks = {dtype: peak(dtype) for dtype in (torch.float32, torch.bfloat16)}
    for dtype, rate in peaks.items():
        print(f"matrix product, {dtype}: {rate / 1e12:.0f} TFLOP/s")
    rows = losses(peaks[torch.bfloat16])
    rows += epochs(given.folder, peaks[torch.bfloat16], compiled=given.compile)
    if given.out:
        with given.out.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


def peak(dtype: torch.dtype, size: int = 8192) -> float:
    """Return the speed of a large product of random matrices, in FLOP/s."""
    left, right = torch.randn(2, size, size, device=GPU, dtype=dtype)
    return 2 * size**3 / seconds(lambda: left @ right, 10)


def seconds(work: Callable[[], object], runs: int) -> float:
    """Return the median time of a function on the GPU, after three warm-up runs."""
    for _ in range(3):
        work()
    marks = [torch.cuda.Event(enable_timing=True) for _ in range(runs + 1)]
    marks[0].record()
    for mark in marks[1:]:
        work()
        mark.record()
    torch.cuda.synchronize()
    return statistics.median(a.elapsed_time(b) / 1000 for a, b in pairwise(marks))


def forms() -> dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]]:
    """Return the implementations of the loss that are available here."""
    found = {"ours": softmax_cross_entropy, "plain": softmax_cross_entropy_plain}
    if hasattr(F, "linear_cross_entropy"):
        options = torch.nn.LinearCrossEntropyOptions()
        found["linear_cross_entropy"] = lambda h, t, e: F.linear_cross_entropy(
            h, e, t, options=options
        )
    try:
        from liger_kernel.transformers import LigerFusedLinearCrossEntropyLoss

        liger = LigerFusedLinearCrossEntropyLoss()
        found["Liger"] = lambda h, t, e: liger(e.bfloat16(), h.bfloat16(), t)
    except ImportError:
        print("Liger is not installed")
    try:
        from cut_cross_entropy import linear_cross_entropy

        found["cut-cross-entropy"] = lambda h, t, e: linear_cross_entropy(
            h.bfloat16(), e.bfloat16(), t
        )
    except ImportError:
        print("cut-cross-entropy is not installed")
    return found


def losses(limit: float) -> Rows:
    """Return the rows for forward and backward of the loss alone, in bfloat16; print them too."""
    rows = []
    print(f"\n{'loss, forward and backward':<50}{'ms':>9}{'TFLOP/s':>9}{'of peak':>9}{'MB':>8}")
    for positions, items, width in (
        (2048, 1683, 64),
        (8192, 12_101, 64),
        (8192, 200_000, 64),
        (4096, 1_000_000, 64),
        (16_384, 200_000, 256),
    ):
        for name, form in forms().items():
            if name == "plain" and positions * items > 2**31:
                continue
            label = f"{positions:,} x {items:,}, d={width}: {name}"
            try:
                rows.append(loss_alone(label, form, positions, items, width, limit))
            except Exception as error:  # failing at this size is a result, too
                print(f"{label}: {type(error).__name__} {str(error)[:90]}")
    return rows


def loss_alone(
    label: str, form: Callable, positions: int, items: int, width: int, limit: float
) -> dict:
    """Return the row of one implementation for one size; print it too."""
    torch.manual_seed(0)
    states = F.layer_norm(torch.randn(positions, width, device=GPU), (width,)).requires_grad_()
    table = (torch.randn(items, width, device=GPU) * 0.1).requires_grad_()
    targets = torch.randint(1, items, (positions,), device=GPU)

    def once() -> None:
        states.grad = table.grad = None
        with torch.autocast("cuda", torch.bfloat16):
            loss = form(states, targets, table)
        loss.backward()

    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    taken = seconds(once, 9)
    held = torch.cuda.max_memory_allocated() - before
    rate = 6 * positions * items * width / taken
    print(
        f"{label:<50}{taken * 1e3:>9.3f}{rate / 1e12:>9.1f}{rate / limit:>9.1%}{held / 1e6:>8.0f}",
        flush=True,
    )
    return row(label, taken, rate, rate / limit, held)


def row(what: str, taken: float, rate: float, share: float, held: int) -> dict:
    """Return a row of the CSV file."""
    return {
        "what": what,
        "seconds": f"{taken:.6f}",
        "tflops": f"{rate / 1e12:.3f}",
        "share": f"{share:.4f}",
        "bytes": held,
    }


def epochs(folder: Path | None, limit: float, *, compiled: bool) -> Rows:
    """Return the rows for epochs of training; print them too."""
    cases: list[tuple[str, Split, int, RunSettings]] = []
    for data in ("ml-100k", *([str(folder / "amazon-beauty")] if folder else [])):
        for values in ({}, {"preset": "best"}, {"batch_size": 16_384}):
            run = resolve_settings(dict(values))
            corpus = load_corpus(data, run.data)
            label = f"{Path(data).name} {values or ''}"
            cases.append((label, leave_one_out(corpus.sequences), len(corpus.items), run))
    large = {"hidden_size": 256, "inner_size": 1024, "n_layers": 4, "n_heads": 4}
    large |= {"hidden_dropout_prob": 0.2, "attn_dropout_prob": 0.2, "max_history": 200}
    for batch_size in (16_384, 65_536):
        run = resolve_settings(large | {"batch_size": batch_size})
        split = random_split(8000, 12_101, 200, ragged=True)
        cases.append((f"d=256, 4 blocks, length 200, batch {batch_size:,}", split, 12_101, run))
    print(f"\n{'an epoch':<50}{'s':>9}{'targets/s':>12}{'TFLOP/s':>9}{'of peak':>9}{'MB':>8}")
    rows = []
    for label, split, items, run in cases:
        with_compile = compiled and label in (cases[0][0], cases[-1][0])  # takes a minute each
        for form in ("packed", "jagged", "padded", *(["compiled"] if with_compile else [])):
            try:
                rows.append(epoch(label, form, split, items, run, limit))
            except Exception as error:  # failing is a result, too
                print(f"{label}, {form}: {type(error).__name__} {str(error)[:300]}", flush=True)
    return rows


def epoch(label: str, form: str, split: Split, items: int, run: RunSettings, limit: float) -> dict:
    """Return the row with the median of three epochs after a warm-up epoch; print it too."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    loop, model = training_loop(split, items, run, GPU)
    kept = attention_paths.packed_attention
    if form in REPLACEMENTS:
        attention_paths.packed_attention = REPLACEMENTS[form]
    if form == "compiled":
        torch._dynamo.reset()
        model.forward = torch.compile(model.encode, dynamic=True)
    try:
        started = time.perf_counter()
        loop.epoch(0)
        first = time.perf_counter() - started
        spans, targets = [], 0
        for number in range(3):
            _, span, targets = loop.epoch(number + 1)
            spans.append(span)
    finally:
        attention_paths.packed_attention = kept
    taken = statistics.median(spans)
    rate = useful_flop(targets, items, model) / taken
    name, held = f"{label}, {form}", torch.cuda.max_memory_allocated()
    print(
        f"{name:<50}{taken:>9.3f}{targets / taken:>12,.0f}{rate / 1e12:>9.2f}{rate / limit:>9.1%}"
        f"{held / 1e6:>8.0f}  (first epoch {first:.1f} s)",
        flush=True,
    )
    return row(name, taken, rate, rate / limit, held)


def padded_attention(
    projected: Tensor, offsets: Tensor, *, longest: int, dropout: float, causal: bool
) -> Tensor:
    """Return the result of ``packed_attention``, computed with windows padded to one length."""
    lengths = offsets.diff()
    rows = len(lengths)
    shifts = torch.arange(rows, device=GPU) * longest - offsets[:-1]
    positions_in_rows = torch.arange(len(projected), device=GPU) + torch.repeat_interleave(
        shifts, lengths, output_size=len(projected)
    )
    wide = projected.flatten(1)
    padded = wide.new_zeros(rows * longest, wide.shape[1]).index_copy(0, positions_in_rows, wide)
    query, key, value = padded.view(rows, longest, *projected.shape[1:]).permute(2, 0, 3, 1, 4)
    mixed = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout, is_causal=causal)
    return mixed.transpose(1, 2).flatten(0, 1).index_select(0, positions_in_rows)


def jagged(
    projected: Tensor, offsets: Tensor, *, longest: int, dropout: float, causal: bool
) -> Tensor:
    """Return the result of ``packed_attention``, computed with PyTorch's jagged tensors."""
    query, key, value = (
        nested_tensor_from_jagged(
            part.contiguous(), offsets, min_seqlen=1, max_seqlen=longest
        ).transpose(1, 2)
        for part in projected.unbind(1)
    )
    mixed = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout, is_causal=causal)
    return mixed.transpose(1, 2).values()


REPLACEMENTS = {"padded": padded_attention, "jagged": jagged}

if __name__ == "__main__":
    main()
