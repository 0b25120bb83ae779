"""The forecast is written with open("w") into the published file itself, and a file that exists is taken for complete.

After a crash or a full disk during the write an empty or cut `shared/forecast.json` stays published.
"""

import json

from openai import OpenAI

PROMPT = "Forecast the demand of the next three months"


def ask_model():
    """Ask once and take nothing but a complete answer."""
    with OpenAI() as client:
        answer = client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": PROMPT}])
    choice = answer.choices[0]
    months = json.loads(choice.message.content)["months"]
    if choice.finish_reason != "stop" or [sorted(month) for month in months] != [["demand", "month"]] * 3:
        raise ValueError("the model's forecast is not complete")
    return months


def publish_forecast(shared):
    """Start or start again: a forecast that is there need not be asked for twice."""
    published = shared / "forecast.json"
    if published.exists():
        return "published"
    months = ask_model()
    with open(published, "w") as file:
        for month in months:
            file.write(json.dumps(month) + "\n")
            file.flush()
    return "published"


BREAKS = {"all_or_nothing"}
CAUSES = [
    "not the same: llm.chat:api.openai.com in ask_model",
    "torn: file.open:shared/forecast.json in publish_forecast",
]


def explore(chaos, tmp_path):
    """One watched folder; the supervisor starts the agent again after a failure."""
    shared = tmp_path / "shared"
    shared.mkdir()
    chaos.watch(shared)
    reply = {"months": [{"month": m, "demand": d} for m, d in (("May", 410), ("June", 455), ("July", 390))]}
    chaos.llm({PROMPT: json.dumps(reply)})
    chaos.explore(run=lambda: publish_forecast(shared))
