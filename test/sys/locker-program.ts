/** Takes and frees a state directory many times, for state-lock.test.ts; tells when it was not alone. */

import { existsSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { BoxError } from '../../src/base/errors.ts'
import { lockState } from '../../src/sys/state-lock.ts'

const [directory, wanted] = process.argv.slice(2) as [string, string]
const marker = join(directory, 'marker')
writeSync(1, 'begins\n')

for (let taken = 0; taken < Number(wanted); ) {
  const lock = tryLock()
  if (!lock) continue
  const other = readMarker()
  if (other && existsSync(`/proc/${other}`)) writeSync(1, `with ${other}\n`)
  writeFileSync(marker, String(process.pid))
  if (readMarker() !== String(process.pid)) writeSync(1, 'overtaken\n')
  rmSync(marker, { force: true })
  lock.release()
  taken++
}
writeSync(1, 'done\n')

function tryLock(): { release(): void } | null {
  try {
    return lockState(directory)
  } catch (error) {
    if (error instanceof BoxError && error.code === 'STATE_LOCKED') return null
    throw error
  }
}

function readMarker(): string {
  try {
    return readFileSync(marker, 'utf8')
  } catch {
    return ''
  }
}
