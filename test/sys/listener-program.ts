/** Listens on a Unix socket until it is killed, for unix-socket.test.ts. */

import { writeSync } from 'node:fs'
import { listenUnix } from '../../src/sys/unix-socket.ts'

await listenUnix(process.argv[2]!, stream => ({
  opened: () => {},
  received: () => stream.close(),
  drained: () => {},
  closed: () => {},
}))
writeSync(1, 'listening\n')
