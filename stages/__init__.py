"""The stages of the pipeline, a package each.

A stage that DVC started ends when DVC does: killing `dvc` leaves its child alive. The watch begins here, with the
first import, since the imports of a stage take seconds in which `dvc` may be gone already.
"""

import os
import signal
import threading
import time


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGKILL)


if "DVC_STAGE" in os.environ:
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
