#!/usr/bin/env python3
"""A small menu.  Try:  genesis outbound examples/programs/python/ivr.py

One process runs for each call.
"""
import itertools
import json
import sys

ids = itertools.count(1)


def ask(**command):
    """Carries out a command and returns its reply; events meanwhile are skipped."""
    command["id"] = next(ids)
    print(json.dumps(command), flush=True)
    for line in sys.stdin:
        reply = json.loads(line)
        if reply.get("id") == command["id"]:
            return reply
    sys.exit(0)  # the call is over


call = json.loads(sys.stdin.readline())  # the first line is all about the call
print("call from", call["Caller-Caller-ID-Number"], flush=True)

ask(answer=True)
choice = ask(digits={"min": 1, "max": 1, "tries": 3, "timeout": 5, "file": "tone_stream://%(200,0,440)"})
if choice.get("result") == "1":
    ask(playback="tone_stream://%(100,0,880)")
    ask(hangup="NORMAL_CLEARING")
elif choice.get("result") == "2":
    ask(hangup="USER_BUSY")
else:
    ask(hangup="NO_USER_RESPONSE")
