/** Takes a release, and is killed before a step, for upgrade.test.ts: DIRECTORY RELEASE KEY STEP. */

import { openRelease } from '../../agent/release.ts'
import { takeRelease } from '../../agent/versions.ts'

const [directory, file, key, killedBefore] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
]
const release = openRelease(file, [Uint8Array.from(Buffer.from(key, 'hex'))])
takeRelease({
  directory,
  release,
  machine: 'linux-x64',
  downgrade: false,
  awaitOwner: true,
  before: step => {
    if (step === killedBefore) process.kill(process.pid, 'SIGKILL')
  },
})
