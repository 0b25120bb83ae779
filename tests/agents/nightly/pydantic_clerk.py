"""An agent of pydantic-ai on DBOS with two tools that are steps, started and resumed as both documentations show.

The model's requests are steps by `DBOSDurability`. A new process recovers what is pending, and asks for the result
under the workflow's id; one that an error ended is rewound to the step that failed.
"""

from dbos import DBOS, SetWorkflowID
from pydantic_ai import Agent
from pydantic_ai.durable_exec.dbos import DBOSDurability
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from ..dbos_launch import launched
from .shop import TASK, post

ORDER = "order-1"


def clerk(name, keyed):
    """Return a clerk."""
    model = OpenAIChatModel("gpt-5", provider=OpenAIProvider(api_key="sk-of-the-shop-0123456789abcdef"))
    made = Agent(model, name=name, instructions="You take orders.", capabilities=[DBOSDurability()])

    @made.tool_plain(name="reserve")
    @DBOS.step(name=f"{name} reserves")
    async def reserve(sku: str, pieces: int) -> str:
        """Reserve pieces in the warehouse."""
        return await post("/reservations", {"sku": sku, "pieces": pieces}, f"{ORDER} reserves" if keyed else None)

    @made.tool_plain(name="mail")
    @DBOS.step(name=f"{name} mails")
    async def mail(text: str) -> str:
        """Mail the customer."""
        return await post("/mails", {"text": text}, f"{ORDER} is told" if keyed else None)

    return made


CLERKS = {False: clerk("clerk", False), True: clerk("careful-clerk", True)}


@DBOS.workflow()
async def order(keyed: bool) -> str:
    """Let the clerk take the order."""
    return (await CLERKS[keyed].run(TASK)).output


def prepare(own):
    """Create the system database, as a deployment does before its first process starts."""
    DBOS.migrate(f"sqlite:///{own / 'dbos.sqlite'}")


async def started(keyed):
    """Start the order, or find it under its id, and wait for its result."""
    with SetWorkflowID(ORDER):
        handle = await DBOS.start_workflow_async(order, keyed)
    return await handle.get_result()


async def run(own, keyed):
    """Order."""
    with launched(own / "dbos.sqlite"):
        return await started(keyed)


async def resume(own, keyed):
    """Go on with the order; one that a failed step ended is rewound to it, and keeps its id."""
    with launched(own / "dbos.sqlite"):
        status = await DBOS.get_workflow_status_async(ORDER)
        if status is None or status.status != "ERROR":
            return await started(keyed)
        steps = await DBOS.list_workflow_steps_async(ORDER)
        failed = next(step["function_id"] for step in steps if step["error"])
        handle = await DBOS.rewind_workflow_async(ORDER, start_step=failed)
        return await handle.get_result()
