#!/usr/bin/env node
// Writes a line of CSV for each call that ends.  Try:
//   genesis consumer --simulate --event CHANNEL_HANGUP_COMPLETE examples/programs/node/cdr.mjs
// The file is the first argument (cdr.mjs -- FILE), else cdr.csv.
import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const fields = ['Unique-ID', 'Caller-Caller-ID-Number', 'Caller-Destination-Number',
  'variable_duration', 'variable_billsec', 'Hangup-Cause'];
const path = process.argv[2] ?? 'cdr.csv';
const quoted = (value) => `"${String((Array.isArray(value) ? value.at(-1) : value) ?? '').replaceAll('"', '""')}"`;

console.log(JSON.stringify({ subscribe: ['CHANNEL_HANGUP_COMPLETE'] }));
for await (const line of createInterface({ input: process.stdin })) {
  const event = JSON.parse(line);
  if (event['Event-Name'] === 'CHANNEL_HANGUP_COMPLETE') {
    appendFileSync(path, fields.map((field) => quoted(event[field])).join(',') + '\n');
  }
}
