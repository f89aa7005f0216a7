#!/usr/bin/env node
/** `box`: looks after devices behind NAT. Starts the command that was asked for, and ends with its exit code. */

import { run } from './cli.ts'

// `box ls | head` closes our output early: nobody is left to be told.
process.stdout.on('error', () => process.exit(0))
process.stderr.on('error', () => {})

void run(process.argv.slice(2)).then(code => {
  // What was written must leave before the process does; an open stdin must not keep it.
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)))
})
