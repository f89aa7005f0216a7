/** Upgrades that go wrong in every way: afterwards the machine starts a version that works. */

import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TRIES_MAX } from '../../agent/launcher.ts'
import { openRelease, pinnedKeys } from '../../agent/release.ts'
import { TRIAL_MS, watchTrial } from '../../agent/trial.ts'
import {
  currentVersion,
  endTrial,
  isOvertaken,
  takeRelease,
  trialOf,
} from '../../agent/versions.ts'
import { BoxError } from '../../src/base/errors.ts'
import { silentLog } from '../../src/base/log.ts'
import { compareVersions, releaseHead } from '../../src/box/executable-release.ts'
import { SigningKey } from '../../src/crypto/signing.ts'
import { World } from '../sim/world.ts'
import { compile } from '../sys/program.ts'
import { scratchDirectory } from '../sys/scratch.ts'
import { executable, KEY, machine, releaseFile } from './small-release.ts'

const STEPS = ['unpack', 'try', 'put beside', 'begin the trial', 'switch', 'end']
const refused = expect.objectContaining({ code: 'RELEASE_REFUSED' })

let programs: string
let upgrader: string
beforeAll(() => {
  programs = mkdtempSync(join(tmpdir(), 'box-upgrader-'))
  upgrader = compile('../agent/upgrader-program.ts', programs)
})
afterAll(() => rmSync(programs, { recursive: true }))

function take(
  directory: string,
  file: string,
  { downgrade = false, awaitOwner = false, before = (_step: string) => {} } = {},
): string {
  const release = openRelease(file, [KEY.publicKey])
  try {
    return takeRelease({ directory, release, machine: 'linux-x64', downgrade, awaitOwner, before })
  } finally {
    release.close()
  }
}

test('a release becomes the current version, on trial; proven, it stays', () => {
  const { directory, start } = machine()
  expect(take(directory, releaseFile('1.1.0'))).toBe('1.0.0')
  expect(trialOf(directory)).toEqual({ version: '1.1.0', before: '1.0.0' })
  expect(start()).toBe('running 1.1.0\n')
  endTrial(directory, '1.1.0')
  for (let n = 0; n < 2 * TRIES_MAX; n++) expect(start()).toBe('running 1.1.0\n')
  take(directory, releaseFile('1.2.0'))
  // The one before the one before is not needed any more.
  expect(readdirSync(directory).toSorted()).toEqual(['1.1.0', '1.2.0', 'current', 'start', 'trial'])
})

test('a version that proves itself late ends no trial of the next one', () => {
  const { directory, start } = machine()
  take(directory, releaseFile('1.1.0'))
  endTrial(directory, '1.1.0')
  take(directory, releaseFile('1.2.0'))
  endTrial(directory, '1.1.0')
  expect(trialOf(directory)).toEqual({ version: '1.2.0', before: '1.1.0' })
  for (let n = 0; n < TRIES_MAX; n++) expect(start()).toBe('running 1.2.0\n')
  expect(start()).toBe('running 1.1.0\n')
})

test('a version that is started too often without proving itself gives way', () => {
  const { directory, start } = machine()
  take(directory, releaseFile('1.1.0'))
  for (let n = 0; n < TRIES_MAX; n++) expect(start()).toBe('running 1.1.0\n')
  expect(start()).toBe('running 1.0.0\n')
  expect(readFileSync(join(directory, 'failed'), 'utf8')).toBe('1.1.0\n')
  expect(trialOf(directory)).toBeNull()
})

test.skipIf(process.getuid?.() !== 0)(
  'who may change nothing there starts, and settles nothing',
  () => {
    const { directory } = machine()
    take(directory, releaseFile('1.1.0'))
    for (let at = directory; at !== tmpdir(); at = dirname(at)) chmodSync(at, 0o755)
    for (let n = 0; n < 2 * TRIES_MAX; n++) {
      const started = spawnSync(join(directory, 'start'), ['run'], {
        encoding: 'utf8',
        uid: 65_534,
      })
      expect(started.stdout).toBe('running 1.1.0\n')
    }
    expect(trialOf(directory)).toEqual({ version: '1.1.0', before: '1.0.0' })
  },
)

test('a version that crashes at its start gives way by itself', () => {
  const { directory, running } = machine()
  take(directory, releaseFile('1.1.0', { content: executable('1.1.0', false) }))
  expect(running()).toEqual({ said: 'running 1.0.0', starts: TRIES_MAX + 1 })
  expect(currentVersion(directory)).toBe('1.0.0')
})

test.for([
  ['does not start', 'no program'],
  ['says nothing', '#!/bin/sh\nexit 1\n'],
  ['is another version', executable('9.9.9')],
])('an executable that %s never becomes current', ([, content]) => {
  const { directory, start } = machine()
  const file = releaseFile('1.1.0', { content: content! })
  expect(() => take(directory, file)).toThrow(refused)
  expect(start()).toBe('running 1.0.0\n')
  expect(readdirSync(directory).toSorted()).toEqual(['1.0.0', 'current', 'start'])
})

test.for([
  ['cut off', (file: string) => truncateSync(file, readFileSync(file).length - 1)],
  ['longer', (file: string) => appendFileSync(file, 'x')],
  ['changed', (file: string) => replaceIn(file, 'echo running', 'echo RUNNING')],
  ['said to be another version', (file: string) => replaceIn(file, '"1.1.0"', '"1.1.1"')],
  ['empty', (file: string) => writeFileSync(file, '')],
  ['something else', (file: string) => writeFileSync(file, '\n\n\n')],
] as const)('a file that is %s is refused, and nothing of it stays', ([, damage]) => {
  const { directory, start } = machine()
  const file = releaseFile('1.1.0')
  damage(file)
  expect(() => take(directory, file)).toThrow(refused)
  expect(start()).toBe('running 1.0.0\n')
  expect(readdirSync(directory).toSorted()).toEqual(['1.0.0', 'current', 'start'])
})

const replaceIn = (file: string, from: string, to: string) =>
  writeFileSync(file, readFileSync(file, 'latin1').replace(from, to), 'latin1')

test('another key, another machine, the same and an older version are refused', () => {
  const { directory } = machine()
  const other = SigningKey.fromSeed(new Uint8Array(32).fill(8))
  expect(() => take(directory, releaseFile('1.1.0', { key: other }))).toThrow(refused)
  expect(() => take(directory, releaseFile('1.1.0', { machine: 'linux-arm64' }))).toThrow(refused)
  expect(() => take(directory, releaseFile('1.0.0'))).toThrow(refused)
  const old = releaseFile('0.9.10')
  expect(() => take(directory, old)).toThrow(refused)
  expect(take(directory, old, { downgrade: true })).toBe('1.0.0')
})

test.for(STEPS)(
  'killed before "%s", the machine runs a version, and can be upgraded again',
  step => {
    const { directory, running } = machine()
    const file = releaseFile('1.1.0')
    const key = Buffer.from(KEY.publicKey).toString('hex')
    const words = [upgrader, directory, file, key, step]
    expect(spawnSync(process.execPath, words).signal).toBe('SIGKILL')
    const isSwitched = step === 'end'
    expect(running()?.said).toBe(`running ${isSwitched ? '1.1.0' : '1.0.0'}`)
    endTrial(directory, '1.1.0')
    take(directory, releaseFile('1.2.0'))
    expect(running()?.said).toBe('running 1.2.0')
    expect(readdirSync(directory).filter(name => name.startsWith('.'))).toEqual([])
  },
)

test.for(STEPS.slice(0, -1))(
  'given up before "%s", because nobody would start it, the version before stays, and nothing is on trial',
  step => {
    const { directory, running } = machine()
    const before = (next: string) => {
      if (next === step) throw new BoxError('RELEASE_REFUSED', 'The agent has ended.')
    }
    const options = { awaitOwner: true, before }
    expect(() => take(directory, releaseFile('1.1.0'), options)).toThrow(refused)
    expect([trialOf(directory), isOvertaken(directory, '1.0.0')]).toEqual([null, false])
    expect(running()?.said).toBe('running 1.0.0')
    expect(take(directory, releaseFile('1.2.0'), { awaitOwner: true })).toBe('1.0.0')
    expect(isOvertaken(directory, '1.0.0')).toBe(true)
    expect(isOvertaken(directory, '1.2.0')).toBe(false)
  },
)

test('keys are pinned by the owner, a line each; what is no key is none', () => {
  const file = join(scratchDirectory(), 'keys')
  const hex = Buffer.from(KEY.publicKey).toString('hex')
  expect(pinnedKeys(file)).toEqual([])
  writeFileSync(file, `# ours\n${hex}\nnonsense\n`)
  expect(pinnedKeys(file)).toEqual([KEY.publicKey])
  expect(() => openRelease(releaseFile('1.1.0'), [])).toThrow('No key is pinned')
})

test('something else that a pinned key has signed is no release', () => {
  const file = join(scratchDirectory(), 'odd')
  for (const said of ['1', null, {}, { format: 1, version: ['1.2.3'] }]) {
    writeFileSync(file, releaseHead(said as never, KEY))
    expect(() => openRelease(file, [KEY.publicKey])).toThrow('It is of another kind')
  }
})

test('versions are compared by their numbers', () => {
  expect(compareVersions('0.9.10', '0.10.0')).toBeLessThan(0)
  expect(compareVersions('1.0.0', '0.99.99')).toBeGreaterThan(0)
  expect(compareVersions('1.2.3', '1.2.3')).toBe(0)
})

function onTrial(isWell: () => boolean, isReachable: () => boolean) {
  const world = new World(1)
  const said: string[] = []
  const trial = watchTrial({
    ...{ clock: world, log: silentLog, isReachable, isOver: () => false },
    check: () => (isWell() ? Promise.resolve() : Promise.reject(new Error('not well'))),
    passed: () => void said.push('passed'),
    failed: () => void said.push('failed'),
  })
  return { world, said, trial }
}

test('a version is proven as soon as its mesh works and a hub is reached', async () => {
  let hub = false
  const { world, said } = onTrial(
    () => true,
    () => hub,
  )
  await world.pass(TRIAL_MS / 2)
  expect(said).toEqual([])
  hub = true
  await world.pass(5_000)
  expect(said).toEqual(['passed'])
  expect(world.pending).toBe(0)
})

test('a version that is not well, or reaches no hub, has failed when time is over', async () => {
  for (const [well, reachable] of [
    [false, true],
    [true, false],
  ] as const) {
    const { world, said } = onTrial(
      () => well,
      () => reachable,
    )
    await world.pass(2 * TRIAL_MS)
    expect(said).toEqual(['failed'])
    expect(world.pending).toBe(0)
  }
})
