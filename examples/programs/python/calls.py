#!/usr/bin/env python3
"""Prints calls as they come and go.  Try:  genesis consumer --simulate examples/programs/python/calls.py

What a program prints and is no command appears in genesis' log.
"""
import json
import sys

NAMES = ["CHANNEL_CREATE", "CHANNEL_ANSWER", "CHANNEL_HANGUP_COMPLETE"]
print(json.dumps({"subscribe": NAMES}), flush=True)

for line in sys.stdin:
    event = json.loads(line)
    if event.get("Event-Name") in NAMES:
        print(event["Event-Name"], event["Unique-ID"], event.get("Caller-Caller-ID-Number", ""),
              event.get("Caller-Destination-Number", ""), flush=True)
