#!/usr/bin/env bash
# Prints calls as they come and go.  Try:  genesis consumer --simulate examples/programs/bash/calls.sh
# Needs jq.  What a program prints and is no command appears in genesis' log.

echo '{"subscribe": ["CHANNEL_CREATE", "CHANNEL_ANSWER", "CHANNEL_HANGUP_COMPLETE"]}'

jq --unbuffered -r '
  select(."Event-Name")
  | [."Event-Name", ."Unique-ID", ."Caller-Caller-ID-Number", ."Caller-Destination-Number", ."Hangup-Cause"]
  | map(select(. != null) | if type == "array" then last else . end)
  | join(" ")'
