#!/usr/bin/env bash
# A small menu.  Try:  genesis outbound examples/programs/bash/ivr.sh
# Needs jq.  One process runs for each call.

id=0
ask() { # ask COMMAND: carries out a command (in jq's notation) and waits for its $reply
  id=$((id + 1))
  jq -cn "$1 + {id: $id}"
  while read -r line; do
    reply=$(jq -c "select(.id == $id)" <<< "$line")
    [ -n "$reply" ] && return
  done
  exit 0 # the call is over
}

read -r call # the first line is all about the call
echo "call from $(jq -r '."Caller-Caller-ID-Number"' <<< "$call")"

ask '{answer: true}'
ask '{digits: {min: 1, max: 1, tries: 3, timeout: 5, file: "tone_stream://%(200,0,440)"}}'
case $(jq -r '.result // empty' <<< "$reply") in
  1) ask '{playback: "tone_stream://%(100,0,880)"}'; ask '{hangup: "NORMAL_CLEARING"}' ;;
  2) ask '{hangup: "USER_BUSY"}' ;;
  *) ask '{hangup: "NO_USER_RESPONSE"}' ;;
esac
