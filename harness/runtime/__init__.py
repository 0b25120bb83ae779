"""A runtime for agents that leave nothing half done, in small parts that work alone and together.

Standard library only, one SQLite file; usable on its own, and each module says in its first lines what holds with
several processes, with an example. Begin with `saga`, whose docstring says what happens after an error and after a
crash; `progress` draws the states of a run. For people there is `python -m rollproof.runtime`. Every public name, in
which module it is, and what it is:

  a run, from its first step to its end
    Saga              saga          steps that all happen, or whose effects are all taken back
    AsyncSaga         async_saga    the same, with steps that are coroutine functions
    Step              steps         one of them: its act, and its undo, or that it is irreversible, or reads only
    Run               steps         what an act is given: ids, goal, variables, idempotency key, fencing token
    Refused           steps         raised by an act: for sure nothing happened outside
    NeedsPerson       steps         raised by an act: no further without a person
    Companion         definition    a part that takes part in the transitions of a run, such as the outbox
    Outcome           carrier       what became of a run, and what it knew last
    Status            progress      running, undoing, with a person, stuck, rolled back, completed
    Event             progress      the transitions between them
    Progress          progress      where a run is: a fold over its events
    UnfinishedRun     takeover      an earlier run must be settled first: recover()
    UnknownRun        takeover      there is no such run
    UnknownStep       steps         a run took a step that its saga no longer has
    WrongState        takeover      the run is in a state in which this cannot be asked
    CheckpointDamaged carrier       a run must go forward, and what it knew last is damaged

  before anything happens
    read_answer       answers       a model's answer, taken as a whole or discarded as a whole
    Buffer            answers       the same, for one that comes in pieces
    AnswerRejected    answers       it is discarded, with every reason
    TEXT_ENDS         answers       what models say of a text that is complete
    TOOL_ENDS         answers       and of the arguments of a tool
    Schema            schema        what an answer must be: the part of JSON Schema that models know
    read_plan         plan          a model's plan, accepted as a whole or refused as a whole
    Plan              plan          one that was accepted
    Rules             plan          what a plan may be: folder, tools, length, checks of one's own
    Tool              plan          something that a plan may use
    PlanRejected      plan          the plan is refused, with every reason
    PlannedAgent      shadow        proposes plans, has them approved, carries them out once
    NotApproved       shadow        nobody approved the plan, or its approval was used
    rehearse          rehearsal     tries every rollback on a copy of real data

  calls, and who may make them
    Retry             retry         how often one call is tried, with which pauses
    Budget            retry         what all calls of a run may use; it can outlive a crash
    classify          retry         says of an error: retry, roll back, or stop
    Verdict           retry         those three
    BudgetSpent       retry         a budget is used up
    KeyRefused        retry         a key was refused earlier in the run
    LoopNoticed       retry         the same call again and again
    Leases            locks         locks that end by themselves
    Lease             locks         one of them, with its fencing token
    LeaseHeld         locks         somebody else has it
    LeaseLost         locks         somebody else went on in our place: touch nothing
    Alive             alive         proof that a process lives, which ends with it
    Fence             fencing       a folder that refuses a writer whose token is old
    Fenced            fencing       it did
    Alerts            handover      tell a person that a run is theirs now, and what to type
    Decision          progress      what a person wants of a run that they hand back

  what is written
    Staging           staging       files that come as one folder, or not at all
    StagingError      staging       they cannot, and nothing was done
    Releases          releases      a set of files that replaces another, by turning a link
    Release           releases      what a run remembers of one
    FileTransactions  transactions  files that change with rows of a database, or not at all
    TransactionError  transactions  they cannot follow it
    Versions          versions      files whose every version stays
    Version           versions      one of them
    UnknownVersion    versions      the file never had it
    ChangedElsewhere  versions      somebody else changed the file; it was not overwritten
    Contents          contents      what keeps contents by their hash
    FolderContents    contents      a folder that does
    BucketContents    contents      a bucket that does
    ContentLost       contents      a content is gone or damaged
    Outbox            outbox        messages that go out with their run, or not at all
    Message           messages      one of them
    Undelivered       messages      some did not get through

  what is remembered
    Store             store         the SQLite file of an agent
    Storage           store         what the parts need of a database
    StoreError        store         the database cannot be used so
    Journal           journal       what happened, in order, chained by hashes
    Entry             journal       one event
    Break             journal       the first place where the chain does not hold
    JournalBroken     journal       somebody changed it: nothing is done on its word
    Checkpoints       checkpoints   what a run knew when it entered each step
    Checkpoint        checkpoints   one of them
    Kept              checkpoints   one that is ready to be pointed to
    Restored          checkpoints   the newest good one, and which are damaged
    Ledger            history       a state that can go back and loses nothing
    Retention         retention     how much of what is over is kept
    AuditTrail        audit         every change of a file, told to webhooks, and enough to undo it

  when it fails
    Found             reconcile     what a step's look says: its effect is there, or not, or another's
    Reality           reconcile     those three
    Belief            reconcile     what the journal says of a step
    Difference        reconcile     a step about which the agent is wrong
    ForeignState      reconcile     something that is not ours is in a step's place
    DeadLetters       dead_letters  what failed for good, to be tried again or put away
    DeadLetter        dead_letters  one of them
    UnknownLetter     dead_letters  there is none with this key
"""

from .alive import Alive
from .answers import TEXT_ENDS, TOOL_ENDS, AnswerRejected, Buffer, read_answer
from .async_saga import AsyncSaga
from .audit import AuditTrail
from .carrier import CheckpointDamaged, Outcome
from .checkpoints import Checkpoint, Checkpoints, Kept, Restored
from .contents import BucketContents, ContentLost, Contents, FolderContents
from .dead_letters import DeadLetter, DeadLetters, UnknownLetter
from .definition import Companion
from .fencing import Fence, Fenced
from .handover import Alerts
from .history import Ledger
from .journal import Break, Entry, Journal, JournalBroken
from .locks import Lease, LeaseHeld, LeaseLost, Leases
from .messages import Message, Undelivered
from .outbox import Outbox
from .plan import Plan, PlanRejected, Rules, Tool, read_plan
from .progress import Decision, Event, Progress, Status
from .reconcile import Belief, Difference, ForeignState, Found, Reality
from .rehearsal import rehearse
from .releases import Release, Releases
from .retention import Retention
from .retry import Budget, BudgetSpent, KeyRefused, LoopNoticed, Retry, Verdict, classify
from .saga import Saga
from .schema import Schema
from .shadow import NotApproved, PlannedAgent
from .staging import Staging, StagingError
from .steps import NeedsPerson, Refused, Run, Step, UnknownStep
from .store import Storage, Store, StoreError
from .takeover import UnfinishedRun, UnknownRun, WrongState
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
    "KeyRefused",
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
    "Outcome",
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
    "UnknownStep",
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
