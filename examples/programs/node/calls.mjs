#!/usr/bin/env node
// Prints calls as they come and go.  Try:  genesis consumer --simulate examples/programs/node/calls.mjs
// What a program prints and is no command appears in genesis' log.
import { createInterface } from 'node:readline';

const names = ['CHANNEL_CREATE', 'CHANNEL_ANSWER', 'CHANNEL_HANGUP_COMPLETE'];
console.log(JSON.stringify({ subscribe: names }));

for await (const line of createInterface({ input: process.stdin })) {
  const event = JSON.parse(line);
  if (names.includes(event['Event-Name'])) {
    console.log(event['Event-Name'], event['Unique-ID'], event['Caller-Caller-ID-Number'] ?? '',
      event['Caller-Destination-Number'] ?? '');
  }
}
