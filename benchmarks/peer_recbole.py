"""Times a model of RecBole on ml-100k; run by epoch.py and rivals.py in RecBole's environment.

    .venv-recbole/bin/python benchmarks/peer_recbole.py EPOCHS [MODEL] [SECONDS]

An epoch that takes longer than SECONDS is stopped after the current batch, and its time is
extrapolated by the number of batches; "share" in the output is the share of batches that ran.

Prints one line of JSON: seconds of each training epoch, targets per epoch, and peak memory.
"""

import json
import resource
import sys
import time

from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed

epochs = int(sys.argv[1])
name = sys.argv[2] if len(sys.argv) > 2 else "SASRec"
limit = float(sys.argv[3]) if len(sys.argv) > 3 else float("inf")
PAIRWISE = {"FPMC", "TransRec", "BPR"}
sys.argv = sys.argv[:1]  # RecBole reads the command line itself
chosen = {} if name in PAIRWISE else {"train_neg_sample_args": None}
if name == "BPR":  # RecBole's default split is by ratio for BPR, unlike for the others
    split = {"LS": "valid_and_test"}
    chosen = {"eval_args": {"split": split, "order": "TO", "group_by": "user", "mode": "full"}}
config = Config(
    model=name,
    dataset="ml-100k",
    config_dict={"show_progress": False, "use_gpu": False, **chosen},
)
init_seed(config["seed"], config["reproducibility"])
train_data, _, _ = data_preparation(config, create_dataset(config))
model = get_model(name)(config, train_data.dataset).to(config["device"])
trainer = get_trainer(config["MODEL_TYPE"], name)(config, model)


class Limited:
    """The batches of an epoch, up to a time limit."""

    def __init__(self) -> None:
        self.done = 0
        self.end = time.perf_counter() + limit

    def __iter__(self):
        for batch in train_data:
            if self.done and time.perf_counter() > self.end:
                return
            yield batch
            self.done += 1

    def __len__(self) -> int:
        return len(train_data)

    def __getattr__(self, what: str) -> object:
        return getattr(train_data, what)


seconds, shares = [], []
for epoch in range(epochs):
    batches = Limited()
    started = time.perf_counter()
    trainer._train_epoch(batches, epoch, show_progress=False)
    shares.append(batches.done / len(train_data))
    seconds.append((time.perf_counter() - started) / shares[-1])
    print(f"RecBole {name} epoch {epoch + 1}: {seconds[-1]:.1f} s", file=sys.stderr)
print(
    json.dumps(
        {
            "seconds": seconds,
            "targets": len(train_data.dataset),
            "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "share": min(shares),
        }
    )
)
