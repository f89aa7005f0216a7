/** Whose sessions a device records: by their grant, and by its own configuration; jobs as well. */

import { afterEach, beforeEach, expect, test } from 'vitest'
import { entryOf } from '../../agent/recordings-service.ts'
import { askGrant } from '../../src/box/control.ts'
import { signGrant } from '../../src/box/grant-statement.ts'
import { signJob } from '../../src/box/job-statement.ts'
import { PushTalk } from '../../src/box/push-talk.ts'
import type { RecordingEntry } from '../../src/box/recording.ts'
import { WHOLE_SCOPE } from '../../src/box/scope.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { systemClock as clock } from '../../src/sys/clock.ts'
import { systemRandom } from '../../src/sys/random.ts'
import { Home } from './home.ts'
import { connectOver, run } from './ssh-fixture.ts'

let home: Home
let guest: ZoneSecret

beforeEach(() => {
  home = new Home()
  guest = ZoneSecret.generate('EDKEY', systemRandom)
})

afterEach(() => home.stop())

const grant = async (recorded: boolean) => {
  const said = {
    ...{ device: home.agent.device.zone, holder: guest.zone, number: Date.now(), until: null },
    ...{ name: 'ada', rights: ['exec'] as const, scope: { ...WHOLE_SCOPE, recorded } },
  }
  await askGrant(await home.open('control'), signGrant(home.owner, said), { clock })
}

const runs = async (as: ZoneSecret) => {
  const client = await connectOver(await home.sshStream(as))
  const { code } = await run(client, 'true')
  client.end()
  return code
}

/** As the disk has them. */
const all = (): readonly RecordingEntry[] =>
  [...home.recordings.content.keys()].toSorted().map(id =>
    entryOf(
      {
        isOpen: () => false,
        sizeOf: id => home.recordings.content.get(id)!.length,
        read: (id, from, size) => home.recordings.read(id, from, size),
      },
      id,
    ),
  )
const whose = () => all().map(({ about }) => `${about?.what} ${about?.who}`)

test('nobody is recorded unless somebody says so', async () => {
  await home.start()
  await home.pair()
  await grant(false)
  expect([await runs(home.owner), await runs(guest)]).toEqual([0, 0])
  expect(whose()).toEqual([])
})

test('whose grant says so is recorded, and the owner is not', async () => {
  await home.start()
  await home.pair()
  await grant(true)
  expect([await runs(home.owner), await runs(guest)]).toEqual([0, 0])
  expect(whose()).toEqual(['exec ada'])
})

test('the device itself may say that all are, or these', async () => {
  await home.start({ record: 'all' })
  await home.pair()
  await runs(home.owner)
  await home.agent.close()
  await home.start({ record: [home.owner.zone] })
  await grant(false)
  expect([await runs(home.owner), await runs(guest)]).toEqual([0, 0])
  expect(whose()).toEqual(['exec home', 'exec home'])
})

const leave = async (line: string) => {
  const talk = new PushTalk((await home.open('jobs', guest)).channel, clock)
  const signed = signJob(guest, {
    ...{ device: home.agent.device.zone, number: Date.now(), expiresAt: Date.now() + 60_000 },
    demand: { do: 'run', line, input: new Uint8Array(0), limitSeconds: 9, every: null },
  })
  await talk.give('job', signed)
  talk.close()
}
const jobNotes = () =>
  home.audit
    .entries()
    .map(entry => entry as { what: string; result: string })
    .filter(({ what }) => what === 'job')
    .map(({ result }) => result)

test('a job of theirs is recorded, and does not run where it cannot be', async () => {
  await home.start()
  await home.pair()
  await grant(true)
  await leave('echo later')
  await expect.poll(jobNotes).toEqual(['waiting', 'begun', 'exit 0'])
  await expect.poll(() => all().map(({ state }) => state)).toEqual(['whole'])
  expect(whose()).toEqual(['job ada'])
  home.recordings.isFull = true
  await leave('echo never')
  await expect.poll(jobNotes).toContain('not run: not recorded')
  expect(all()).toHaveLength(1)
})
