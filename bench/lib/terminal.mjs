/** A program in a terminal of its own, and how long it takes to print something. */

import pty from 'node-pty'
import { now } from './measure.mjs'

/** Milliseconds from the start of a program in a terminal until what it prints matches. */
export const untilPrints = (command, pattern, env = process.env) =>
  new Promise((resolve, reject) => {
    let out = ''
    const begin = now()
    const terminal = pty.spawn(command[0], command.slice(1), { name: 'xterm', env })
    terminal.onData(text => {
      out += text
      if (!pattern.test(out)) return
      resolve(now() - begin)
      terminal.kill()
    })
    terminal.onExit(() => reject(new Error(`ended: ${out}`)))
  })
