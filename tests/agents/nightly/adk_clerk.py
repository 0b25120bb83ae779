"""An agent of Google's ADK with two tools and its SQLite sessions, on a model that LiteLLM asks.

Started and resumed as ADK's documentation shows: the app is resumable, and an invocation that was interrupted goes on
under its id; one that an error ended is over, and a new message goes on. `disable_aiohttp_transport` is LiteLLM's
documented way to httpx.
"""

import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # its documented way not to fetch prices when it is imported

import litellm
from google.adk.agents import LlmAgent
from google.adk.apps import App, ResumabilityConfig
from google.adk.models.lite_llm import LiteLlm
from google.adk.runners import Runner
from google.adk.sessions.sqlite_session_service import SqliteSessionService
from google.genai import types

from .shop import TASK, post

litellm.disable_aiohttp_transport = True
WHO = {"user_id": "customer", "session_id": "order-1"}


async def reserve(sku: str, pieces: int) -> str:
    """Reserve pieces in the warehouse."""
    return await post("/reservations", {"sku": sku, "pieces": pieces})


async def mail(text: str) -> str:
    """Mail the customer."""
    return await post("/mails", {"text": text})


def once(tool, key):
    """Return the tool, for one order once."""
    path = {"reserve": "/reservations", "mail": "/mails"}[tool.__name__]

    async def reserve(sku: str, pieces: int) -> str:
        """Reserve pieces in the warehouse, for one order once."""
        return await post(path, {"sku": sku, "pieces": pieces}, key)

    async def mail(text: str) -> str:
        """Mail the customer, about one order once."""
        return await post(path, {"text": text}, key)

    return reserve if tool.__name__ == "reserve" else mail


CARELESS = [reserve, mail]
CAREFUL = [once(reserve, "order-1 reserves"), once(mail, "order-1 is told")]


async def order(database, tools):
    """Start the order, or go on with it."""
    clerk = LlmAgent(name="clerk", model=LiteLlm(model="openai/gpt-5"), instruction="You take orders.", tools=tools)
    app = App(name="shop", root_agent=clerk, resumability_config=ResumabilityConfig(is_resumable=True))
    sessions = SqliteSessionService(str(database))
    runner = Runner(app=app, session_service=sessions)
    session = await sessions.get_session(app_name="shop", **WHO)
    if session is None:
        session = await sessions.create_session(app_name="shop", **WHO)
    if session.events and session.events[-1].error_code is None:
        arguments = {"invocation_id": session.events[-1].invocation_id}
    else:
        text = "Continue." if session.events else TASK
        arguments = {"new_message": types.Content(role="user", parts=[types.Part(text=text)])}
    said = None
    async for event in runner.run_async(**WHO, **arguments):
        if event.is_final_response() and event.content and event.content.parts:
            said = event.content.parts[0].text
    return said
