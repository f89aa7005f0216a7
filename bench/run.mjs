/** All measurements, one after the other: `node run.mjs [--rounds 5]`; see README.md. */

import { spawnSync } from 'node:child_process'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'

const words = process.argv.slice(2)
console.log(`Node ${process.version}, ${cpus().length} x ${cpus()[0].model}, load ${loadavg()[0].toFixed(1)} at the start\n`)
const NAMES = ['stream', 'cold', 'shell', 'restart', 'idle', 'push', 'exec', 'status', 'fanout', 'dashboard', 'api']
for (const name of NAMES)
  spawnSync(process.execPath, [join(import.meta.dirname, `${name}.mjs`), ...words], { stdio: 'inherit' })
console.log(`load ${loadavg()[0].toFixed(1)} at the end`)
