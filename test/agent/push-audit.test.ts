/** Everything that happens to a push is in the audit journal, with who did it and why; and in the status. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { ConfigurationStatus } from '../../agent/agent-status.ts'
import { memoryStore } from '../../src/base/store.ts'
import { AUDIT_BEGIN, type AuditEntry, firstBroken, parseAuditEntry } from '../../src/box/audit.ts'
import { contentId, signRelease } from '../../src/box/bundle/release.ts'
import { PushTalk } from '../../src/box/push-talk.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { systemClock } from '../../src/sys/clock.ts'
import { realDisk } from '../../src/sys/disk.ts'
import { systemRandom } from '../../src/sys/random.ts'
import { tcpNetwork } from '../../src/sys/tcp.ts'
import { scratchDirectory } from '../sys/scratch.ts'
import { Home } from './home.ts'

let home: Home
let top: string
let path: string

beforeEach(async () => {
  top = scratchDirectory()
  mkdirSync(join(top, 'state'))
  mkdirSync(join(top, 'etc'))
  path = join(top, 'etc', 'motd')
  writeFileSync(path, 'old\n')
  home = new Home(memoryStore())
  home.machine = { disk: realDisk, directory: join(top, 'state'), network: tcpNetwork }
  await home.start({ roots: [join(top, 'etc')] })
  await home.pair()
})
afterEach(() => home.stop())

const content = new TextEncoder().encode('new\n')

const release = (sequence: number, more = {}, signer = home.owner) =>
  signRelease(
    {
      ...{ device: home.agent.device.zone, signer: signer.zone, sequence, name: 'motd' },
      ...{ confirmSeconds: 9, commandSeconds: 9, drift: 'report' as const, uci: [] },
      files: [
        ...[{ is: 'file' as const, path, content: contentId(content), size: content.length }],
      ].map(file => ({ ...file, mode: 0o644, owner: '' })),
      ...{ packages: [], before: [], apply: [], after: [], undo: [], reload: [] },
      ...more,
    },
    signer,
  )

/** One dialogue, as a controller has it. */
async function talking<T>(run: (talk: PushTalk) => Promise<T>): Promise<T> {
  const { channel } = await home.open('push')
  const talk = new PushTalk(channel, systemClock)
  try {
    return await run(talk)
  } finally {
    talk.close()
  }
}

const apply = (signed: Uint8Array) =>
  talking(async talk => {
    const { missing } = await talk.give('offer', signed)
    if ((missing as unknown[]).length > 0) await talk.give('content', content)
    return await talk.ask('apply', {})
  })
const confirm = ({ id }: { id?: unknown }) => talking(talk => talk.ask('confirm', { id }))

const entries = (): AuditEntry[] =>
  home.audit.entries().flatMap(value => parseAuditEntry(value) ?? [])
/** The entries as lines, without the names of changes, which are chance. */
const lines = () =>
  entries().map(({ who, what, result, detail }) =>
    `${who}: ${what} ${result}, ${detail}`.replace(/change [0-9a-f]+/, 'change …'),
  )
const configuration = (): ConfigurationStatus => home.agent.status().configuration!

test('a push that is confirmed, and the way back', async () => {
  const by = zoneToText(home.owner.zone)
  expect(configuration()).toMatchObject({ state: 'none', generation: 0, drift: null })
  const applied = await apply(release(1))
  expect(configuration()).toMatchObject({ state: 'waiting', generation: 0, unconfirmed: 'motd' })
  await confirm(applied)
  expect(configuration()).toMatchObject({ state: 'confirmed', version: 1, drift: 0 })
  await apply(release(2))
  await confirm(await talking(talk => talk.ask('back', { generation: 0 })))
  expect(lines()).toEqual([
    `home: push begun, "motd" 1 signed by ${by}`,
    'the device itself: push staged, "motd" 1, change …',
    'the device itself: push waits, "motd" 1, change …',
    'home: push confirmed, "motd" 1, change …, generation 1 holds',
    `home: push begun, "motd" 2 signed by ${by}`,
    `home: push unchanged, "motd" 2 signed by ${by}`,
    'home: rollback begun, to generation 0',
    'the device itself: rollback staged, what was there first, change …',
    'the device itself: rollback waits, what was there first, change …',
    'home: rollback confirmed, what was there first, change …, generation 2 holds',
  ])
  expect(firstBroken(AUDIT_BEGIN, entries())).toBeNull()
  expect(entries()[1]!.zone).toBe(zoneToText(home.agent.device.zone))
})

test('a push that fails and is put back, with the reason, and its number', async () => {
  await apply(release(1, { after: ['echo no route; false'] }))
  expect(lines().at(-1)).toBe(
    'the device itself: push put back, "motd" 1, change …, generation 0 holds; "echo no route; false" ended with 1: no route.',
  )
  expect(configuration()).toMatchObject({
    ...{ state: 'put_back', generation: 0, unconfirmed: null },
    last: '"motd" was put back: "echo no route; false" ended with 1: no route.',
  })
})

test('what is refused, once however often it is asked for, and why', async () => {
  const stranger = ZoneSecret.generate('EDKEY', systemRandom)
  const signed = release(1, {}, stranger)
  const of = zoneToText(stranger.zone)
  for (let i = 0; i < 3; i++) await expect(apply(signed)).rejects.toThrow('may not push here')
  await expect(apply(release(1).with(9, 0))).rejects.toThrow('not signed by the key')
  await expect(apply(release(1, { before: ['false'] }))).rejects.toThrow('A check failed')
  const said = lines()
  expect(said.filter(line => line.includes('who may not push here'))).toEqual([
    `home: push refused, "motd" 1 signed by ${of}: ${of} signed it, who may not push here.`,
  ])
  expect(said.some(line => /push refused, .*not signed by the key that it names/.test(line))).toBe(
    true,
  )
  expect(said.at(-1)).toMatch(/^home: push refused, "motd" 1 .*A check failed: "false" ended/)
})

test('an end that came while nobody wrote it down is written down at the next start, once', async () => {
  await apply(release(1))
  await home.agent.close()
  // As the guard beside the agent does it, or a start whose journal was on a full disk.
  const journal = join(top, 'state', 'push', 'journal')
  const text = readFileSync(journal, 'utf8').replace(/"boot":"[^"]*"/, '"boot":"yesterday"')
  writeFileSync(journal, text)
  const ended = () => lines().filter(line => line.includes('push put back'))
  const kept = home.audit.entries().length
  await home.start({ roots: [join(top, 'etc')] })
  await expect.poll(ended).toHaveLength(1)
  await home.agent.close()
  ;(home.audit.entries() as unknown[]).splice(kept)
  for (let i = 0; i < 2; i++) {
    await home.start({ roots: [join(top, 'etc')] })
    expect(ended()).toEqual([
      'the device itself: push put back, "motd" 1, change …, generation 0 holds; The device, or its agent, was stopped in between.',
    ])
    await home.agent.close()
  }
  await home.start()
})

test('drift is counted as soon as somebody has looked', async () => {
  await confirm(await apply(release(1)))
  writeFileSync(path, 'by hand\n')
  await talking(talk => talk.ask('drift', {}))
  expect(configuration().drift).toBe(1)
})
