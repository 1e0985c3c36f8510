"""A client of the rooms application that is written with python-socketio: joins, sends, is told, reacts, and prints what it
saw as JSON.

Usage: rooms.py URL TOKEN CONVERSATION TRANSPORT
"""

import json
import queue
import sys

import socketio

DEADLINE = 15


class Refused(Exception):
    """The server did not let the client in."""


def main(url, token, conversation, transport):
    client = socketio.Client(reconnection=False)
    told = {name: queue.Queue() for name in ("room-joined", "message:new", "reaction:update", "error", "connect_error")}
    for name, events in told.items():
        client.on(name, lambda *arguments, events=events: events.put(arguments[0] if arguments else None), namespace="/rooms")
    try:
        client.connect(url, auth={"token": token}, namespaces=["/rooms"], transports=[transport], wait_timeout=DEADLINE)
    except socketio.exceptions.ConnectionError as error:
        refusal = told["connect_error"].get(timeout=DEADLINE)
        raise Refused(refusal.get("message") if isinstance(refusal, dict) else refusal) from error

    def call(event, payload):
        return client.call(event, payload, namespace="/rooms", timeout=DEADLINE)

    seen = {"transport": client.transport()}
    client.emit("join-room", {"conversationId": conversation}, namespace="/rooms")
    seen["joined"] = told["room-joined"].get(timeout=DEADLINE)
    seen["sent"] = call("send-message", {"temp_id": "py-1", "conversationId": conversation, "content": "from Python"})
    seen["message"] = told["message:new"].get(timeout=DEADLINE)
    seen["reacted"] = call("react", {"messageId": seen["message"]["id"], "emoji": "🐍"})
    seen["reactions"] = told["reaction:update"].get(timeout=DEADLINE)["reactions"]
    # Its answer comes from somebody else.
    seen["answer"] = told["message:new"].get(timeout=DEADLINE)["content"]
    seen["refused"] = call("send-message", {"temp_id": "py-2", "conversationId": "another", "content": "x"})
    client.disconnect()
    return seen


if __name__ == "__main__":
    try:
        print(json.dumps(main(*sys.argv[1:])))
    except Refused as refusal:
        print(json.dumps({"refusal": str(refusal)}))
