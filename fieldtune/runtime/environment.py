"""The environment that libraries read as they load, and the watch that ends a stage when its parent ends.

A stage that DVC started ends when DVC does, and a process that a stage launched ends when the stage does: otherwise
killing `dvc` would leave its child alive. Each `__main__` imports this first, before its libraries: they take seconds
to load, and `dvc` may be gone by then.
"""

import os

# Threads that wait for one another spin and slow down everything else: beside one other busy process, encoding took
# 60 s instead of 9 s. Read when torch loads.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Otherwise onnxruntime reports to Microsoft, and stores an identifier of the machine for that. Read when it loads.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# An operation that Apple's GPU lacks runs on the CPU. Read when torch loads.
os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")

if "DVC_STAGE" in os.environ or "FIELDTUNE_LAUNCHED" in os.environ:
    import itertools
    import signal
    import threading
    import time

    import psutil

    _MARKS = {"DVC_STAGE", "FIELDTUNE_LAUNCHED"}  # set in the environment of what DVC, or a stage, starts

    def _up_to_dvc() -> list[psutil.Process]:
        """This process and its ancestors, up to the one that started all: some shells (dash) stay in between."""
        chain = [psutil.Process()]
        while (parent := chain[-1].parent()) is not None:
            chain.append(parent)
            try:
                if not _MARKS & parent.environ().keys():
                    break
            except psutil.Error:
                break
        return chain

    def _end_with(chain: list[psutil.Process]) -> None:
        try:
            while all(child.ppid() == parent.pid for child, parent in itertools.pairwise(chain)):
                time.sleep(0.5)
        except psutil.Error:
            pass
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=_end_with, args=(_up_to_dvc(),), daemon=True).start()
