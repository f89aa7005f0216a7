/** Zones that are revoked in GNS, with real agents on a mesh without a network, where any work will do. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Command } from '../../controller/command.ts'
import { revocation } from '../../controller/commands/revocation.ts'
import { reach } from '../../controller/device-session.ts'
import {
  beginRevocation,
  keepRevocation,
  keptRevocation,
  parseRevocation,
} from '../../controller/revocation-book.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { readZoneRevocation, revocationTime, signIntent } from '../../src/gns/revocation.ts'
import { systemRandom } from '../../src/sys/random.ts'
import { PushHouse } from './push/house.ts'

let house: PushHouse
beforeEach(async () => {
  house = await PushHouse.open()
  await house.device('attic')
})
afterEach(() => house.close())

const context = () => house.controller.context
const device = () => context().fleet.device('attic')
const own = () => context().ego().secret

async function run(action: 'make' | 'check' | 'publish', what?: string, more: object = {}) {
  const { said } = house.controller
  said.out = ''
  said.err = ''
  const common = { json: false, state: undefined, timeout: 5, years: 1, file: undefined }
  const command: Command = revocation
  const args: object = { ...common, action, what, yes: false, ...more }
  const code = await command.run(context(), args as Parameters<Command['run']>[1])
  return { code, out: said.out, err: said.err }
}

describe('the certificate of a device', { timeout: 120_000 }, () => {
  test('is signed by the device, kept here, and ends its name for all who hear of it', async () => {
    const file = join(context().state.directory, 'attic.rev')
    const said = await run('make', 'attic', { file })
    expect(said.out).toBe('The certificate for attic is ready.\n')
    expect(said.err).toContain('new backup')
    expect(house.audit('attic')).toContain('revocation of the zone of this device signed')
    const { zone } = device()
    expect(readZoneRevocation(new Uint8Array(readFileSync(file))).zone).toEqual(zone)
    expect((await run('check', 'attic')).out).toBe(
      'attic: not known to be revoked; certificate here: ready.\n',
    )
    await expect(run('publish', 'attic')).rejects.toMatchObject({ code: 'INPUT_INVALID' })
    expect((await run('publish', 'attic', { yes: true })).out).toMatch(/^attic is revoked until 20/)
    expect(keptRevocation(context().state, zone)!.published).not.toBeNull()
    expect((await run('check', zoneToText(zone))).out).toMatch(/: revoked until 20.*: ready\.\n$/)
    await expect(
      reach(context(), device(), { service: 'control', timeoutMs: 5_000 }),
    ).rejects.toMatchObject({ code: 'ZONE_REVOKED' })
    // Also from the file alone.
    expect((await run('publish', file, { yes: true })).code).toBe(0)
  })

  test('goes on where it was stopped', async () => {
    const { state } = context()
    const intent = signIntent(own(), revocationTime(Date.now()))
    const kept = beginRevocation(intent, 1, systemRandom)
    for (let i = 0; i < 5; i++) kept.work.step()
    await keepRevocation(state, kept)
    await run('make')
    const { work } = keptRevocation(state, own().zone)!
    expect(work.tried).toBe(32)
    expect(work.intent.time).toBe(intent.time)
  })

  test('that is not ready, or of nobody, is not published', async () => {
    for (const what of ['attic', undefined, zoneToText(own().zone)])
      await expect(run('publish', what, { yes: true })).rejects.toMatchObject({
        code: 'INPUT_INVALID',
      })
    await expect(run('make', 'nobody')).rejects.toMatchObject({ code: 'DEVICE_UNKNOWN' })
    await expect(run('make', undefined, { years: 0 })).rejects.toMatchObject({
      code: 'INPUT_INVALID',
    })
  })

  test('that is damaged is said to be', () => {
    const { zone } = own()
    for (const text of ['', '{"version":2}', '{"version":1,"work":"","years":1,"published":null}'])
      expect(() => parseRevocation(text, zone)).toThrow(BoxError)
  })
})

describe('an identity that is revoked', { timeout: 120_000 }, () => {
  interface Inside {
    readonly notices: { look(): Promise<void> }
    readonly grants: { allows(zone: ZoneKey, right: 'admin', now: number): boolean }
  }
  const inside = () => house.agent('attic') as unknown as Inside
  const isOwner = () => inside().grants.allows(own().zone, 'admin', Date.now())

  test('may do nothing on devices any more, as soon as they hear of it', async () => {
    await run('make')
    await house.off('attic')
    await run('publish', undefined, { yes: true })
    await house.on('attic')
    expect(isOwner()).toBe(true)
    await inside().notices.look()
    await expect.poll(isOwner, { timeout: 30_000 }).toBe(false)
    expect(house.audit('attic').join()).toContain('in GNS done')
    // Also after a start, from what it has kept.
    await house.off('attic')
    await house.on('attic')
    expect(isOwner()).toBe(false)
  })
})
