/**
 * Pushes, confirms, and is killed ahead of the change to the disk that has the given number; for
 * faults.test.ts. Says "done" and how many changes there were when it was not killed.
 */

import { writeSync } from 'node:fs'
import { systemClock } from '../../../src/sys/clock.ts'
import { changedRelease, Place, push, watchedDisk } from './place.ts'

const [top, number] = process.argv.slice(2) as [string, string]
let changes = 0
const disk = watchedDisk(() => {
  if (++changes === Number(number)) process.kill(process.pid, 'SIGKILL')
})
const place = new Place(systemClock, top)
const applier = place.applier({ disk })
await applier.recover()
const applied = await push(applier, changedRelease(place))
if (applied.is === 'awaiting') applier.confirm(applied.id)
applier.close()
writeSync(1, `done ${changes}\n`)
