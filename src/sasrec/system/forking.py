"""Forking: a process forked off a server that has loaded a model answers, with one thread.

The threads of OpenMP, with which PyTorch computes, stay behind in the parent process; the first
computation that is to be shared among them would wait for ever. With one thread nothing is shared.
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


def compute_alone_if_forked() -> None:
    """In a forked process, let the calling thread compute without others; elsewhere do nothing.

    Each thread has a setting of its own, so it is to be called where work begins.
    """
    if not _Process.is_forked or getattr(_settled, "done", False):
        return
    import torch

    torch.set_num_threads(1)
    _settled.done = True
