/** Upgrades over the mesh, of devices with real versions and the real launcher: see town.ts. */

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { upgrade } from '../../../controller/commands/upgrade.ts'
import { reach } from '../../../controller/device-session.ts'
import { ReleaseFile } from '../../../controller/upgrade/releases.ts'
import { ERRORS } from '../../../src/base/errors.ts'
import { PIECE_BYTES, pieceCount } from '../../../src/box/executable-release.ts'
import { PushTalk } from '../../../src/box/push-talk.ts'
import { readMissingPieces } from '../../../src/box/upgrade-report.ts'
import { SigningKey } from '../../../src/crypto/signing.ts'
import { systemClock } from '../../../src/sys/clock.ts'
import { releaseFile } from '../../agent/small-release.ts'
import { large, UpgradeTown } from './town.ts'

let town: UpgradeTown
let releases: string

beforeEach(async () => {
  town = await UpgradeTown.open()
  releases = mkdtempSync(join(tmpdir(), 'box-releases-'))
})
afterEach(async () => {
  await town.close()
  rmSync(releases, { recursive: true, force: true })
})

const release = (version: string, more: Parameters<typeof releaseFile>[1] = {}) =>
  releaseFile(version, {
    ...{ content: large(version), path: join(releases, `${version}.release`) },
    ...more,
  })

async function run(args: object = {}) {
  const { context, said } = town.house.controller
  said.out = ''
  said.err = ''
  const defaults = { json: false, state: undefined, timeout: 3, canary: 1, batch: 5 }
  const code = await upgrade.run(context, {
    ...{ ...defaults, 'max-failures': 0, selector: '@all', release: releases, downgrade: false },
    ...args,
  })
  return { code, out: said.out, err: said.err }
}

test('a device takes a release, starts it, is found, and keeps it', {
  timeout: 60_000,
}, async () => {
  await town.device('attic')
  release('1.0.1')
  release('1.1.0')
  expect(await run()).toEqual({
    ...{ code: 0, err: '' },
    out: 'attic  1.1.0 has proven itself; before it was 1.0.0\n',
  })
  expect(town.version('attic')).toBe('1.1.0')
  expect(readdirSync(town.versions('attic')).toSorted()).toEqual([
    ...['1.0.0', '1.1.0', 'current', 'start'],
  ])
  expect(town.house.audit('attic').filter(line => line.startsWith('upgrade'))).toEqual([
    ...['upgrade 1.1.0 begun', 'upgrade 1.1.0 on trial', 'upgrade 1.1.0 proven'],
  ])
  expect(await run()).toEqual({ code: 0, err: '', out: 'attic  had 1.1.0 already\n' })
})

test.for([
  ['crashes at its start', false],
  ['runs, and is not reached', true],
] as const)(
  'a version that %s gives way, and that is told',
  { timeout: 60_000 },
  async ([, runs]) => {
    await town.device('attic')
    release('1.1.0', { content: large('1.1.0', runs) })
    if (runs) town.unreachable.add('1.1.0')
    expect(await run()).toEqual({
      ...{ code: 77, err: '' },
      out: 'attic  1.1.0 did not prove itself; 1.0.0 is back\n',
    })
    expect(town.version('attic')).toBe('1.0.0')
    expect(town.house.audit('attic').at(-1)).toBe('upgrade 1.1.0 gave way')
    // It is no verdict for ever.
    release('1.1.0')
    town.unreachable.clear()
    expect((await run()).code).toBe(0)
    expect(town.version('attic')).toBe('1.1.0')
  },
)

test('a version that was made current by what its agent left behind is started, and proven', {
  timeout: 60_000,
}, async () => {
  await town.device('attic')
  const file = release('1.1.0')
  town.outlive('attic', file)
  expect(town.version('attic')).toBe('1.0.0')
  expect(await run()).toEqual({
    ...{ code: 0, err: '' },
    out: 'attic  1.1.0 has proven itself; before it was 1.0.0\n',
  })
  expect(town.version('attic')).toBe('1.1.0')
})

test('what is not to be taken is refused before anything is written', {
  timeout: 60_000,
}, async () => {
  await town.device('attic')
  const refusedWith = async (args: object, why: string) => {
    expect(await run(args)).toEqual({
      ...{ code: 77, err: '' },
      out: `attic  refused: ${ERRORS.RELEASE_REFUSED[1]} ${why}\n`,
    })
    expect(town.version('attic')).toBe('1.0.0')
    expect(existsSync(join(town.house.etc('attic'), '..', 'state', 'release.part'))).toBe(false)
  }
  const other = SigningKey.fromSeed(new Uint8Array(32).fill(8))
  const path = join(releases, 'it')
  release('1.1.0', { key: other, path })
  await refusedWith({ release: path }, 'No pinned key has signed it.')
  release('0.9.9', { path })
  await refusedWith({ release: path }, '0.9.9 is older than 1.0.0: say --downgrade if you mean it.')
  release('1.1.0', { path, machine: 'linux-arm64' })
  await refusedWith({ release: path }, 'It is linux-x64, and the release is for linux-arm64.')
  expect(town.house.audit('attic').filter(line => line.endsWith('refused'))).toHaveLength(2)
  release('0.9.9', { path })
  expect(await run({ release: path, downgrade: true })).toMatchObject({ code: 0 })
  expect(town.version('attic')).toBe('0.9.9')
})

test('a device that is upgraded in another way says in which', { timeout: 60_000 }, async () => {
  town.refusal = 'It was installed from a package: upgrade that.'
  await town.device('attic')
  release('1.1.0')
  expect(await run()).toMatchObject({
    ...{ code: 77 },
    out: `attic  refused: ${ERRORS.RELEASE_REFUSED[1]} ${town.refusal}\n`,
  })
})

test('a release that was changed on the way is not taken, and the next attempt begins anew', {
  timeout: 60_000,
}, async () => {
  await town.device('attic')
  const path = release('1.1.0')
  const bytes = readFileSync(path)
  writeFileSync(path, Buffer.concat([bytes.subarray(0, -9), Buffer.from('CHANGED!\n')]))
  // Signed is the hash of all of it: the pieces themselves are as the controller lists them.
  expect(await run()).toMatchObject({
    ...{ code: 77 },
    out: `attic  refused: ${ERRORS.RELEASE_REFUSED[1]} It was changed on the way.\n`,
  })
  expect(town.version('attic')).toBe('1.0.0')
  writeFileSync(path, bytes)
  expect((await run()).code).toBe(0)
})

async function talkTo(name: string): Promise<PushTalk> {
  const { context } = town.house.controller
  const device = context.fleet.device(name)
  const { channel } = await reach(context, device, { service: 'upgrade', timeoutMs: 5_000 })
  return new PushTalk(channel, systemClock)
}

async function offered(talk: PushTalk, file: ReleaseFile) {
  const whole = new Uint8Array(Buffer.concat([file.head, await file.hashes()]))
  const said = await talk.give('release', whole, { downgrade: false, head: file.head.length })
  return readMissingPieces(said, pieceCount(file.manifest.size))
}

test('a transfer goes on where it was cut off, and what the device has does not travel', {
  timeout: 60_000,
}, async () => {
  await town.device('attic')
  const file = new ReleaseFile(release('1.1.0'))
  expect(pieceCount(file.manifest.size)).toBe(3)
  const first = await talkTo('attic')
  expect(await offered(first, file)).toEqual([{ first: 0, count: 3 }])
  await expect(first.give('pieces', file.pieces(0, 1).fill(0), { first: 0 })).rejects.toThrow(
    'A piece was changed on the way.',
  )
  await first.give('pieces', file.pieces(1, 1), { first: 1 })
  await expect(first.give('pieces', file.pieces(0, 1), { first: 3 })).rejects.toThrow(
    'This is no piece of it.',
  )
  await expect(first.ask('upgrade', {})).rejects.toThrow('It is not whole.')
  await first.give('pieces', file.pieces(1, 1), { first: 1 })
  await town.house.off('attic')
  await town.house.on('attic')
  expect(await offered(await talkTo('attic'), file)).toEqual([
    { first: 0, count: 1 },
    { first: 2, count: 1 },
  ])
  expect((await run()).code).toBe(0)
  // The next one differs in its beginning alone.
  const next = new ReleaseFile(release('1.2.0'))
  expect(await offered(await talkTo('attic'), next)).toEqual([{ first: 0, count: 1 }])
  expect(next.pieces(0, 1)).toHaveLength(PIECE_BYTES)
})

test('whoever has no right to administer changes nothing', { timeout: 60_000 }, async () => {
  await town.device('attic')
  const { context } = town.house.controller
  const { zone } = context.ego().secret
  const agent = town.house.agent('attic') as unknown as {
    grants: { find(...args: unknown[]): object; set(grant: unknown): void }
  }
  agent.grants.set({ ...agent.grants.find(zone, 0), rights: ['push', 'shell', 'status'] })
  release('1.1.0')
  expect(await run()).toMatchObject({ code: 77, out: expect.stringContaining('refused') })
  expect(town.version('attic')).toBe('1.0.0')
})

test('a fleet is upgraded one first, then in batches, and stops where too many fail', {
  timeout: 240_000,
}, async () => {
  const names = Array.from({ length: 24 }, (_, i) => `d${String(i).padStart(2, '0')}`)
  for (const name of names) await town.device(name)
  const off = ['d05', 'd15']
  for (const name of off) await town.house.off(name)
  // It has no room for the folder of the version.
  const bad = ['d04', 'd09', 'd19']
  for (const name of bad) rmSync(join(town.versions(name), 'current'))
  release('1.1.0')
  const stopped = await run({ 'max-failures': 1 })
  expect(stopped.code).toBe(78)
  expect(stopped.err).toBe(
    'Stopped: 2 failed, 13 were not tried.\n8 of 24 devices have it, 2 failed, 1 are off.\n',
  )
  expect(town.taken[0]).toBe('d00')
  for (const [i, name] of names.entries())
    expect(town.version(name), name).toBe(
      i <= 10 && !bad.includes(name) && !off.includes(name) ? '1.1.0' : '1.0.0',
    )
  const done = await run({ 'max-failures': 3 })
  expect(done.err).toBe('19 of 24 devices have it, 3 failed, 2 are off.\n')
  for (const name of names)
    expect(town.version(name), name).toBe(
      bad.includes(name) || off.includes(name) ? '1.0.0' : '1.1.0',
    )
})
