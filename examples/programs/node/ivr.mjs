#!/usr/bin/env node
// A small menu.  Try:  genesis outbound examples/programs/node/ivr.mjs
// One process runs for each call.
import { createInterface } from 'node:readline';

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
let id = 0;

// Carries out a command and returns its reply; events meanwhile are skipped.
async function ask(command) {
  id += 1;
  console.log(JSON.stringify({ ...command, id }));
  for (;;) {
    const { value, done } = await lines.next();
    if (done) process.exit(0); // the call is over
    const reply = JSON.parse(value);
    if (reply.id === id) return reply;
  }
}

const call = JSON.parse((await lines.next()).value); // the first line is all about the call
console.log('call from', call['Caller-Caller-ID-Number']);

await ask({ answer: true });
const choice = await ask({ digits: { min: 1, max: 1, tries: 3, timeout: 5, file: 'tone_stream://%(200,0,440)' } });
if (choice.result === '1') {
  await ask({ playback: 'tone_stream://%(100,0,880)' });
  await ask({ hangup: 'NORMAL_CLEARING' });
} else if (choice.result === '2') {
  await ask({ hangup: 'USER_BUSY' });
} else {
  await ask({ hangup: 'NO_USER_RESPONSE' });
}
process.exit(0);
