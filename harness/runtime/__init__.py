"""A small runtime for agents that leave nothing half done: steps with their undo, staging, checkpoints, a lease, a
journal.

Standard library only, one SQLite file; usable on its own and readable in an hour. Begin with `saga`, whose docstring
says what happens after an error and after a crash; `progress` draws the states; the other modules are the parts that it
stands on.
"""

from .checkpoints import Checkpoint, Checkpoints, Restored
from .steps import NeedsPerson, Refused, Run, Step
from .journal import Break, Entry, Journal, JournalBroken
from .locks import Lease, LeaseHeld, LeaseLost, Leases
from .progress import Event, Progress, Status
from .saga import CheckpointDamaged, Saga, UnfinishedRun
from .staging import Staging, StagingError
from .store import Store, StoreError

__all__ = [
    "Break",
    "Checkpoint",
    "CheckpointDamaged",
    "Checkpoints",
    "Entry",
    "Event",
    "Journal",
    "JournalBroken",
    "Lease",
    "LeaseHeld",
    "LeaseLost",
    "Leases",
    "Progress",
    "Refused",
    "Restored",
    "Run",
    "Saga",
    "Staging",
    "StagingError",
    "Status",
    "Step",
    "Store",
    "StoreError",
    "UnfinishedRun",
]
