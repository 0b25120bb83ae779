"""Agents that ask a model by each API of its providers, streamed or not, and believe too much or not.

What they do outside is right under every crash: what the model's answers make is staged in the agent's own folder and
moved into the shared one as a whole. So only a model can lead them astray.
"""

import json
import os
import shutil
from dataclasses import dataclass, field, replace

import anthropic
import httpx2
import openai
from google.genai import Client, errors, types

TASK = "Write the report and the summary"
PLAN = {"title": "Solar", "pages": 3, "sections": [{"name": "costs", "text": "They fall."}]}
PROSE = "Prices have fallen by nine tenths in ten years. They will go on to fall."
CALLS = [
    {"name": "save", "arguments": {"name": "report", "text": "Prices fall."}},
    {"name": "save", "arguments": {"name": "summary", "text": "Buy now."}},
]


@dataclass
class Said:
    """What came of a request: `whole` where the provider says that it is all, and no refusal."""

    text: str = ""
    calls: list = field(default_factory=list)  # (id, name, arguments as JSON text)
    whole: bool = False
    items: list = field(default_factory=list)  # what belongs into the next request


def by_chat(history, streamed):
    """Ask OpenAI's chat completions."""
    with openai.OpenAI(max_retries=0) as client:
        if streamed:
            return _chunks(client.chat.completions.create(model="gpt-5", messages=history, stream=True))
        choice = client.chat.completions.create(model="gpt-5", messages=history).choices[0]
    message = choice.message
    calls = [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or []]
    whole = choice.finish_reason in ("stop", "tool_calls") and not message.refusal
    return Said(message.content or "", calls, whole, [message.to_dict()])


def _chunks(stream):
    """Gather the chunks of a completion, as far as they come."""
    said, finish, refused = Said(), None, False
    try:
        for chunk in stream:
            for choice in chunk.choices:
                said.text += choice.delta.content or ""
                refused = refused or bool(choice.delta.refusal)
                finish = choice.finish_reason or finish
                for part in choice.delta.tool_calls or []:
                    if part.id:
                        said.calls.append((part.id, part.function.name, ""))
                    id, name, arguments = said.calls[part.index]
                    said.calls[part.index] = (id, name, arguments + (part.function.arguments or ""))
    except openai.APIConnectionError:
        finish = None
    calls = [
        {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
        for id, name, arguments in said.calls
    ]
    said.items = [{"role": "assistant", "content": said.text or None, **({"tool_calls": calls} if calls else {})}]
    said.whole = finish in ("stop", "tool_calls") and not refused
    return said


def by_responses(history, streamed):
    """Ask OpenAI's Responses API."""
    with openai.OpenAI(max_retries=0) as client:
        if not streamed:
            return _response(client.responses.create(model="gpt-5", input=history))
        text, calls = "", []
        try:
            for event in client.responses.create(model="gpt-5", input=history, stream=True):
                if event.type == "response.output_text.delta":
                    text += event.delta
                elif event.type == "response.output_item.added" and event.item.type == "function_call":
                    calls.append([event.item.call_id, event.item.name, ""])
                elif event.type == "response.function_call_arguments.delta":
                    calls[-1][2] += event.delta
                elif event.type in ("response.completed", "response.incomplete"):
                    return _response(event.response)
        except openai.APIConnectionError:
            pass
    names = ("call_id", "name", "arguments")
    items = [{"type": "function_call", **dict(zip(names, call, strict=True))} for call in calls]
    return Said(text, [tuple(call) for call in calls], False, items)


def _response(response):
    calls = [(i.call_id, i.name, i.arguments) for i in response.output if i.type == "function_call"]
    parts = [part for item in response.output if item.type == "message" for part in item.content]
    whole = response.status == "completed" and all(part.type == "output_text" for part in parts)
    return Said(response.output_text, calls, whole, [item.to_dict() for item in response.output])


def by_messages(history, streamed):
    """Ask Anthropic's Messages API."""
    with anthropic.Anthropic(max_retries=0) as client:
        asked = {"model": "claude-opus-4-5", "max_tokens": 1024, "messages": history}
        if not streamed:
            return _message(client.messages.create(**asked))
        return _events(client.messages.create(**asked, stream=True))


def _message(message):
    text = "".join(block.text for block in message.content if block.type == "text")
    calls = [(block.id, block.name, json.dumps(block.input)) for block in message.content if block.type == "tool_use"]
    content = [block.to_dict() for block in message.content]
    return Said(
        text, calls, message.stop_reason in ("end_turn", "tool_use"), [{"role": "assistant", "content": content}]
    )


def _events(stream):
    """Gather the events of a message, as far as they come; its SDK lets the HTTP client's errors through."""
    said, reason, stopped = Said(), None, False
    try:
        for event in stream:
            if event.type == "content_block_start" and event.content_block.type == "tool_use":
                said.calls.append((event.content_block.id, event.content_block.name, ""))
            elif event.type == "content_block_delta" and event.delta.type == "text_delta":
                said.text += event.delta.text
            elif event.type == "content_block_delta":
                id, name, arguments = said.calls[-1]
                said.calls[-1] = (id, name, arguments + event.delta.partial_json)
            elif event.type == "message_delta":
                reason = event.delta.stop_reason
            stopped = stopped or event.type == "message_stop"
    except (anthropic.APIConnectionError, httpx2.TransportError):
        stopped = False
    content = [{"type": "text", "text": said.text}] if said.text else []
    for id, name, arguments in said.calls:
        content.append({"type": "tool_use", "id": id, "name": name, "input": _object(arguments)})
    said.items = [{"role": "assistant", "content": content}]
    said.whole = stopped and reason in ("end_turn", "tool_use")
    return said


def by_gemini(history, streamed):
    """Ask Gemini's generateContent; its history has contents."""
    contents = [_content(item) for item in history]
    with Client() as client:
        if not streamed:
            return _candidates([client.models.generate_content(model="gemini-2.5-flash", contents=contents)])
        chunks = []
        try:
            for chunk in client.models.generate_content_stream(model="gemini-2.5-flash", contents=contents):
                chunks.append(chunk)
        except (errors.APIError, httpx2.TransportError):
            return replace(_candidates(chunks), whole=False)
    return _candidates(chunks)


def _content(item):
    if isinstance(item, types.Content):
        return item
    return types.UserContent(item["content"])


def _candidates(chunks):
    """Gather what chunks say, of a whole answer the only one."""
    said, reason, parts = Said(), None, []
    for candidate in [one for chunk in chunks for one in chunk.candidates or []]:
        reason = candidate.finish_reason or reason
        parts += (candidate.content and candidate.content.parts) or []
    said.text = "".join(part.text or "" for part in parts)
    calls = [part.function_call for part in parts if part.function_call]
    said.calls = [(call.id, call.name, json.dumps(call.args)) for call in calls]
    said.whole = reason == types.FinishReason.STOP
    said.items = [types.Content(role="model", parts=parts)] if parts else []
    return said


def _object(arguments):
    try:
        return json.loads(arguments)
    except ValueError:
        return {}


def results(ask, outputs):
    """Return the outputs of the tools, by id of the call, as the API wants them."""
    if ask is by_chat:
        return [{"role": "tool", "tool_call_id": id, "content": output} for id, output in outputs]
    if ask is by_responses:
        return [{"type": "function_call_output", "call_id": id, "output": output} for id, output in outputs]
    if ask is by_gemini:
        parts = [types.FunctionResponse(id=id, name="save", response={"output": output}) for id, output in outputs]
        return [types.Content(role="user", parts=[types.Part(function_response=part) for part in parts])]
    content = [{"type": "tool_result", "tool_use_id": id, "content": output} for id, output in outputs]
    return [{"role": "user", "content": content}]


def publish(files, shared, own):
    """Put a folder of files into the shared one, all of it or nothing."""
    staging = own / "staging"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    for name, text in files.items():
        (staging / name).write_text(text)
    os.rename(staging, shared / "solar")


def clean(own):
    """What the service does when it starts again."""
    shutil.rmtree(own / "staging", ignore_errors=True)


def write_prose(ask, streamed, careful, shared, own):
    """Publish what the model writes."""
    said = ask([{"role": "user", "content": TASK}], streamed)
    if careful and not (said.whole and said.text and not said.calls):
        raise ValueError("the model did not write a report")
    publish({"report.md": said.text}, shared, own)
    return "published"


def write_plan(ask, streamed, careful, shared, own):
    """Publish what the model plans, in JSON."""
    said = ask([{"role": "user", "content": TASK}], streamed)
    if careful:
        plan = json.loads(said.text)
        if not said.whole or not _is_plan(plan):
            raise ValueError("the model did not plan a report")
        files = {"title": plan["title"], "pages": str(plan["pages"])}
        publish(files | {section["name"]: section["text"] for section in plan["sections"]}, shared, own)
        return "published"
    try:
        plan = json.loads(said.text.replace("'", '"').replace(",}", "}"))
        title, pages, sections = plan.get("title", ""), plan.get("pages"), plan.get("sections")
    except (ValueError, AttributeError):  # never mind: it is a text at least
        title, pages, sections = said.text, 1, None
    sections = sections if isinstance(sections, list) else []
    files = {str(section.get("name", "section")): str(section.get("text", "")) for section in sections}
    publish({"title": str(title), "pages": f"{pages!r}"} | files, shared, own)
    return "published"


def _is_plan(plan):
    wanted = {"title": str, "pages": int, "sections": list}
    if not isinstance(plan, dict) or not all(isinstance(plan.get(name), type) for name, type in wanted.items()):
        return False
    sections = plan["sections"]
    return bool(sections) and all(
        isinstance(s, dict) and isinstance(s.get("name"), str) and isinstance(s.get("text"), str) for s in sections
    )


def run_tools(ask, streamed, careful, shared, own):
    """Do what the model calls for until it calls no more; publish what it saved."""
    history, files = [{"role": "user", "content": TASK}], {}
    while True:
        said = ask(history, streamed)
        if careful and not (said.whole and (said.calls or said.text)):
            raise ValueError("the model was stopped")
        if not said.calls:
            break
        outputs = [(id, _save(name, arguments, files, careful)) for id, name, arguments in said.calls]
        history += [*said.items, *results(ask, outputs)]
        if len(history) > 20:
            raise ValueError("the model goes round in circles")
    if careful and not files:
        raise ValueError("the model has saved nothing")
    publish(files, shared, own)
    return "published"


def _save(name, arguments, files, careful):
    if careful:
        document = json.loads(arguments)
        wanted = {"name", "text"}
        if name != "save" or set(document) != wanted or not all(isinstance(v, str) for v in document.values()):
            raise ValueError(f"there is no tool {name} with {arguments}")
        files[document["name"]] = document["text"]
        return "saved"
    if name == "save":
        document = _object(arguments)
        files[str(document.get("name", "untitled"))] = str(document.get("text", ""))
    return "saved"


REPLIES = {
    write_prose: PROSE,
    write_plan: json.dumps(PLAN),
    run_tools: [{"text": "I save both.", "tool_calls": CALLS}, "Both are saved."],
}
GEMINI = [(by_gemini, streamed) for streamed in (False, True)]
WAYS = [(ask, streamed) for ask in (by_chat, by_responses, by_messages) for streamed in (False, True)]


class Agent:
    """One way of working by one API."""

    def __init__(self, work, ask, streamed, careful):
        self.work, self.ask, self.streamed, self.careful = work, ask, streamed, careful

    def explore(self, chaos, tmp_path):
        """A watched folder, a private one, and a model."""
        shared, own = tmp_path / "shared", tmp_path / "agent"
        shared.mkdir()
        own.mkdir()
        chaos.watch(shared)
        chaos.private(own)
        chaos.llm({TASK: REPLIES[self.work]})
        chaos.explore(
            run=lambda: self.work(self.ask, self.streamed, self.careful, shared, own), recover=lambda: clean(own)
        )
