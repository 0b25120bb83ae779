"""What a step made is logged by a thread, and the checkpoint is written when that thread is through.

A naive harness accuses it: after a crash before the checkpoint the order is sent that was sent before.
"""

from concurrent.futures import ThreadPoolExecutor

from . import wrong_step_logged_beside_its_checkpoint as shop


def keep(log, checkpoint):
    """Leave the log's mark, wait for it, and then leave the checkpoint's."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(log.touch).result()
    checkpoint.touch()


BREAKS = set()


def explore(chaos, tmp_path):
    """The same shop."""
    shop.explore(chaos, tmp_path, keep)
