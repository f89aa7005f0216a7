/** box-agent upgrade: another version of the executable, on trial until it has proven itself. */

import { execFileSync } from 'node:child_process'
import { BoxError } from '../../src/base/errors.ts'
import { systemClock } from '../../src/sys/clock.ts'
import { versionsDirectory } from '../../src/sys/own-programs.ts'
import { command } from '../command.ts'
import { openRelease, pinnedKeys } from '../release.ts'
import { SERVICES } from '../systemd-unit.ts'
import { TRIAL_MS } from '../trial.ts'
import { currentVersion, type Step, takeRelease, trialOf } from '../versions.ts'

const LOOK_EVERY_MS = 500
/** All tries of a version that does not come up, and the way back. */
const VERDICT_MS = 4 * TRIAL_MS

export const upgrade = command({
  name: 'upgrade',
  describe: 'install a signed release; it gives way by itself if it does not work here',
  examples: [
    [
      'box-agent upgrade --file secushare-box-0.2.0-linux-x64.release',
      'takes it, and waits until it has proven itself',
    ],
    ['box-agent upgrade --file old.release --downgrade', 'goes back to an older version'],
  ],
  options: {
    file: { type: 'string', describe: 'the release file' },
    downgrade: { type: 'boolean', default: false, describe: 'take it although it is older' },
    'await-owner': {
      type: 'boolean',
      default: false,
      describe:
        'leave the start to the agent, and the end of the trial to an owner (how the agent itself calls this)',
    },
    wait: { type: 'boolean', default: true, describe: 'wait until it has proven itself' },
  },
  run: async ({ terminal, signal }, { file, downgrade, wait, 'await-owner': awaitOwner }) => {
    const directory = versionsDirectory()
    if (!directory)
      throw new BoxError(
        'CONFIG_INVALID',
        'This program was not put here by box-agent install: upgrade it as it was installed.',
      )
    if (!file) throw new BoxError('INPUT_INVALID', 'Say which file: --file RELEASE.')
    const release = openRelease(file, pinnedKeys())
    const { version } = release.manifest
    let before: string
    try {
      const machine = `${process.platform}-${process.arch}`
      const goOn = awaitOwner ? mustHaveParent(process.ppid) : () => {}
      before = takeRelease({ directory, release, machine, downgrade, awaitOwner, before: goOn })
    } finally {
      release.close()
    }
    const running = !awaitOwner && isActive()
    if (running) systemctl('restart', '--no-block', SERVICES.device)
    if (running && wait) await verdict(directory, version, signal)
    const on = running && wait ? 'has proven itself' : 'is on trial'
    terminal.say(`${version} ${on}; before it was ${before}.`, {
      version,
      before,
      proven: running && wait,
    })
  },
})

/** Nobody would start what is made current once the agent that asked for it is gone; the next one is asked again. */
const mustHaveParent =
  (agent: number) =>
  (step: Step): void => {
    if (step !== 'end' && process.ppid !== agent)
      throw new BoxError('RELEASE_REFUSED', 'The agent that asked for it has ended.')
  }

/** Waits until the trial is over. Fails with RELEASE_REFUSED where the version has given way. */
async function verdict(directory: string, version: string, signal: AbortSignal): Promise<void> {
  const deadline = systemClock.elapsed() + VERDICT_MS
  while (trialOf(directory)?.version === version && systemClock.elapsed() < deadline) {
    signal.throwIfAborted()
    await new Promise<void>(resolve => void systemClock.after(LOOK_EVERY_MS, resolve))
  }
  if (currentVersion(directory) !== version)
    throw new BoxError('RELEASE_REFUSED', `${version} did not work here and has given way.`)
  if (trialOf(directory)) throw new BoxError('PEER_TIMEOUT', `${version} is still on trial.`)
}

function isActive(): boolean {
  try {
    systemctl('--quiet', 'is-active', SERVICES.device)
    return true
  } catch {
    return false
  }
}

function systemctl(...words: string[]): void {
  execFileSync('systemctl', words, { stdio: 'ignore' })
}
