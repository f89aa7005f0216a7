/** Writes without end, for file-store.test.ts to kill: ever higher numbers into a store and a journal. */

import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { fileStore } from '../../src/sys/file-store.ts'
import { Journal } from '../../src/sys/journal.ts'
import { lockState } from '../../src/sys/state-lock.ts'

const [directory, from] = process.argv.slice(2) as [string, string]
lockState(directory)
const store = fileStore(join(directory, 'store'))
const journal = new Journal(join(directory, 'journal'), { sizeMax: 20_000, durable: false })
for (let number = Number(from); ; number++) {
  store.set('number', new Uint8Array(100_000).fill(number % 256))
  store.set(`number ${number % 5}`, Uint8Array.of(number % 256))
  journal.append({ number, padding: 'x'.repeat(300) })
  writeSync(1, `${number}\n`)
}
