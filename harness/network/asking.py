"""A process that sends one request and writes down the answer; see `provider`.

python -m rollproof.network.asking < request.json > answer.json
"""

import base64
import json
import sys

import httpx


def main() -> None:
    """Send the request of the standard input."""
    asked = json.load(sys.stdin)
    with httpx.Client(timeout=600.0, follow_redirects=True) as client:  # as patient as the providers' own SDKs
        body = base64.b64decode(asked["body"])
        try:
            answer = client.request(asked["method"], asked["url"], headers=asked["headers"], content=body)
        except httpx.HTTPError as problem:
            sys.exit(f"{type(problem).__name__}: {problem}")
    headers = {name.lower(): value for name, value in answer.headers.items()}
    said = base64.b64encode(answer.content).decode()
    print(json.dumps({"status": answer.status_code, "headers": headers, "body": said}))


if __name__ == "__main__":
    main()
