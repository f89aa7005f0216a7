#!/usr/bin/env node
/** `box-agent`: the program on a device. Starts the command that was asked for, and ends with its exit code. */

import './lean-heap.ts'
import { runCommandLine } from './command-line.ts'

// `box-agent status | head` closes our output early: nobody is left to be told.
process.stdout.on('error', () => process.exit(0))
process.stderr.on('error', () => {})

void runCommandLine(process.argv.slice(2)).then(code => {
  // What was written must leave before the process does; an open terminal must not keep it.
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)))
})
