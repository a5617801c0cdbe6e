"""Time RecBole's own SASRec on ml-100k; run by epoch.py with the Python of .venv-recbole.

Prints one line of JSON: seconds of each training epoch, targets an epoch, and peak memory.
"""

import json
import resource
import sys
import time

from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed

epochs = int(sys.argv[1])
sys.argv = sys.argv[:1]  # RecBole reads the command line itself
config = Config(
    model="SASRec",
    dataset="ml-100k",
    config_dict={"train_neg_sample_args": None, "show_progress": False, "use_gpu": False},
)
init_seed(config["seed"], config["reproducibility"])
train_data, _, _ = data_preparation(config, create_dataset(config))
model = get_model("SASRec")(config, train_data.dataset).to(config["device"])
trainer = get_trainer(config["MODEL_TYPE"], "SASRec")(config, model)
seconds = []
for epoch in range(epochs):
    started = time.perf_counter()
    trainer._train_epoch(train_data, epoch, show_progress=False)
    seconds.append(time.perf_counter() - started)
    print(f"RecBole epoch {epoch + 1}: {seconds[-1]:.1f} s", file=sys.stderr)
print(
    json.dumps(
        {
            "seconds": seconds,
            "targets": len(train_data.dataset),
            "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }
    )
)
