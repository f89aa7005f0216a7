#!/usr/bin/env node
/** `box`: looks after devices behind NAT. Starts the command that was asked for, and ends with its exit code. */

import { run } from './cli.ts'

/** How long a command may take to tell devices that it ends, once nobody hears what it prints. */
const LEAVE_MS = 2_000
let isUnheard = false

// `box ls | head` closes our output early: nobody is left to be told, but those at the other ends of channels.
process.stdout.on('error', () => {
  if (isUnheard) return
  isUnheard = true
  if (!process.emit('SIGHUP')) process.exit(0)
  setTimeout(() => process.exit(0), LEAVE_MS)
})
process.stderr.on('error', () => {})

void run(process.argv.slice(2)).then(code => {
  // What was written must leave before the process does; an open stdin must not keep it.
  process.stdout.write('', () => process.stderr.write('', () => process.exit(isUnheard ? 0 : code)))
})
