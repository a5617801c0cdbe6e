"""Support for processes forked after a model was loaded, as servers do: they use one thread.

PyTorch computes with OpenMP threads, and a fork does not copy these. The first parallel computation
in the forked process would therefore wait forever. With one thread nothing runs in parallel.
"""

from __future__ import annotations

import os
import threading


class _Process:
    is_forked = False


def _note() -> None:
    _Process.is_forked = True


_settled = threading.local()
if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=_note)


def use_one_thread_if_forked() -> None:
    """Set PyTorch to one thread if this process was forked; otherwise do nothing.

    The number of threads is set per calling thread, so call this at the start of each computation.
    """
    if not _Process.is_forked or getattr(_settled, "done", False):
        return
    import torch

    torch.set_num_threads(1)
    _settled.done = True
