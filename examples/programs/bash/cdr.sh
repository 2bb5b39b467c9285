#!/usr/bin/env bash
# Writes a line of CSV for each call that ends.  Try:
#   genesis consumer --simulate --event CHANNEL_HANGUP_COMPLETE examples/programs/bash/cdr.sh
# The file is the first argument (cdr.sh -- FILE), else cdr.csv.  Needs jq.

file=${1:-cdr.csv}
echo '{"subscribe": ["CHANNEL_HANGUP_COMPLETE"]}'

jq --unbuffered -r '
  def one: if type == "array" then last else . end // "";
  select(."Event-Name" == "CHANNEL_HANGUP_COMPLETE")
  | [."Unique-ID", ."Caller-Caller-ID-Number", ."Caller-Destination-Number", .variable_duration, .variable_billsec, ."Hangup-Cause"]
  | map(one) | @csv' >> "$file"
