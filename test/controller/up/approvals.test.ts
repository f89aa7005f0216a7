/** What waits for a second person, over the API: seen on every device, approved or denied, by a real agent. */

import type { Client } from 'ssh2'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ZoneSecret } from '../../../src/crypto/zone-key.ts'
import { zoneToText } from '../../../src/gns/name.ts'
import { systemRandom } from '../../../src/sys/random.ts'
import { connectOver, ended, exec } from '../../agent/ssh-fixture.ts'
import { House } from './house.ts'

const house = new House()
const ada = ZoneSecret.generate('EDKEY', systemRandom)
let client: Client

beforeAll(async () => {
  await house.start()
  const granted = await house.ask('POST', '/v1/devices/kitchen/grants', {
    ...{ person: zoneToText(ada.zone), as: 'ada', rights: ['exec'], approved: true },
  })
  expect(granted.json()).toMatchObject({ holder: 'ada', approved: true })
  // A client that says nothing else than that it is told what is held.
  client = await connectOver(await house.home.sshStream(ada))
})
afterAll(async () => {
  client.end()
  await house.stop()
})

const everywhere = async (query = '') => (await house.ask('GET', `/v1/approvals${query}`)).json()

/** Ada asks for it; how it ends. */
async function asked(line: string) {
  const channel = await exec(client, line)
  const end = ended(channel)
  // What is approved is the command and its input.
  channel.end()
  return { end }
}

/** What ada asks for, once it waits. */
async function waiting() {
  let found: { id: string; lines: string[] }[] = []
  await expect
    .poll(async () => {
      found = (await everywhere()).approvals
      return found.length
    })
    .toBe(1)
  return found[0]!
}

const say = (id: string, verdict: 'approve' | 'deny') =>
  house.ask('POST', '/v1/devices/kitchen/approvals', { id, verdict })

describe('what waits for a second person', () => {
  test('is told of every device, in words in which nothing is hidden, and is done once approved', async () => {
    await expect
      .poll(async () => await everywhere())
      .toEqual({
        ...{ approvals: [], away: [], failed: [] },
      })
    const { end } = await asked('echo done\u202e; exit 3')
    const one = await waiting()
    expect(one).toMatchObject({
      ...{ device: 'kitchen', who: 'ada', kind: 'exec', may_approve: true },
      command: 'echo done\u202e; exit 3',
    })
    expect(one.lines[1]).toBe('  exec: echo done\\u{202e}; exit 3')
    const same = (await house.ask('GET', '/v1/devices/kitchen/approvals')).json()
    expect(same).toEqual({ approvals: [one] })
    const judged = (await say(one.id, 'approve')).json()
    expect(judged).toEqual({ verdict: 'approve', approval: one })
    expect((await end).code).toBe(3)
    expect((await say(one.id, 'approve')).statusCode).toBe(404)
  })

  test('is not done once denied', async () => {
    const { end } = await asked('exit 0')
    expect((await say((await waiting()).id, 'deny')).json()).toMatchObject({ verdict: 'deny' })
    expect((await end).code).not.toBe(0)
  })

  test('is told apart by selector, and of devices that are away that they were not asked', async () => {
    const { zone } = ZoneSecret.generate('EDKEY', systemRandom)
    await house.context.fleet.add({ name: 'attic', zone, tags: [], pairedAt: 0, last: null })
    house.watch.look()
    expect((await everywhere()).away).toEqual(['attic'])
    expect(await everywhere('?selector=%40routers')).toEqual({
      approvals: [],
      away: [],
      failed: [],
    })
    const nothing = await house.ask('GET', '/v1/approvals?selector=%40none')
    expect(nothing.statusCode).toBe(404)
  })
})
