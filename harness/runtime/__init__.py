"""A runtime for agents that leave nothing half done, in small parts that work alone and together.

Standard library only, one SQLite file; usable on its own and readable in an hour. Begin with `saga`, whose docstring
says what happens after an error and after a crash; `progress` draws the states of a run.

    while it happens          saga, async_saga, steps, carrier, execution, retry, locks, alive, fencing, handover
    before anything happens   answers, schema, plan, shadow (propose and approve), rehearsal (rollbacks tried on a copy)
    what is written           staging, releases, transactions, versions, contents, outbox
    what is remembered        store, journal, progress, checkpoints, history, retention, audit
    when it fails             reconcile, dead_letters, cli
"""

from .alive import Alive
from .answers import TEXT_ENDS, TOOL_ENDS, AnswerRejected, Buffer, read_answer
from .async_saga import AsyncSaga
from .audit import AuditTrail
from .carrier import CheckpointDamaged, UnfinishedRun, UnknownRun, WrongState
from .checkpoints import Checkpoint, Checkpoints, Kept, Restored
from .contents import BucketContents, ContentLost, Contents, FolderContents
from .dead_letters import DeadLetter, DeadLetters, UnknownLetter
from .execution import Companion
from .fencing import Fence, Fenced
from .handover import Alerts
from .history import Ledger
from .journal import Break, Entry, Journal, JournalBroken
from .locks import Lease, LeaseHeld, LeaseLost, Leases
from .outbox import Message, Outbox, Undelivered
from .plan import Plan, PlanRejected, Rules, Tool, read_plan
from .progress import Decision, Event, Progress, Status
from .reconcile import Belief, Difference, ForeignState, Found, Reality
from .rehearsal import rehearse
from .releases import Release, Releases
from .retention import Retention
from .retry import Budget, BudgetSpent, LoopNoticed, Retry, Verdict, classify
from .saga import Saga
from .schema import Schema
from .shadow import NotApproved, PlannedAgent
from .staging import Staging, StagingError
from .steps import NeedsPerson, Refused, Run, Step
from .store import Storage, Store, StoreError
from .transactions import FileTransactions, TransactionError
from .versions import ChangedElsewhere, UnknownVersion, Version, Versions

__all__ = [
    "TEXT_ENDS",
    "TOOL_ENDS",
    "Alerts",
    "Alive",
    "AnswerRejected",
    "AsyncSaga",
    "AuditTrail",
    "Belief",
    "Break",
    "BucketContents",
    "Budget",
    "BudgetSpent",
    "Buffer",
    "ChangedElsewhere",
    "Checkpoint",
    "CheckpointDamaged",
    "Checkpoints",
    "Companion",
    "ContentLost",
    "Contents",
    "DeadLetter",
    "DeadLetters",
    "Decision",
    "Difference",
    "Entry",
    "Event",
    "Fence",
    "Fenced",
    "FileTransactions",
    "FolderContents",
    "ForeignState",
    "Found",
    "Journal",
    "JournalBroken",
    "Kept",
    "Lease",
    "LeaseHeld",
    "LeaseLost",
    "Leases",
    "Ledger",
    "LoopNoticed",
    "Message",
    "NeedsPerson",
    "NotApproved",
    "Outbox",
    "Plan",
    "PlanRejected",
    "PlannedAgent",
    "Progress",
    "Reality",
    "Refused",
    "Release",
    "Releases",
    "Restored",
    "Retention",
    "Retry",
    "Rules",
    "Run",
    "Saga",
    "Schema",
    "Staging",
    "StagingError",
    "Status",
    "Step",
    "Storage",
    "Store",
    "StoreError",
    "Tool",
    "TransactionError",
    "Undelivered",
    "UnfinishedRun",
    "UnknownLetter",
    "UnknownRun",
    "UnknownVersion",
    "Verdict",
    "Version",
    "Versions",
    "WrongState",
    "classify",
    "read_answer",
    "read_plan",
    "rehearse",
]
