#!/usr/bin/env python3
"""Writes a line of CSV for each call that ends.  Try:
  genesis consumer --simulate --event CHANNEL_HANGUP_COMPLETE examples/programs/python/cdr.py

The file is the first argument (cdr.py -- FILE), else cdr.csv.
"""
import csv
import json
import sys

FIELDS = ["Unique-ID", "Caller-Caller-ID-Number", "Caller-Destination-Number",
          "variable_duration", "variable_billsec", "Hangup-Cause"]


def one(value):
    return value[-1] if isinstance(value, list) else value


print(json.dumps({"subscribe": ["CHANNEL_HANGUP_COMPLETE"]}), flush=True)
path = sys.argv[1] if len(sys.argv) > 1 else "cdr.csv"
with open(path, "a", newline="", encoding="utf-8") as file:
    writer = csv.writer(file)
    for line in sys.stdin:
        event = json.loads(line)
        if event.get("Event-Name") == "CHANNEL_HANGUP_COMPLETE":
            writer.writerow([one(event.get(field, "")) for field in FIELDS])
            file.flush()
