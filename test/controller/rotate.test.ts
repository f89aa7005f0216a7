/** New keys and revoked ones, with real agents on a mesh without a network; some are off meanwhile. */

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { auditHeadFile } from '../../controller/audit-check.ts'
import type { Command } from '../../controller/command.ts'
import { revoke } from '../../controller/commands/revoke.ts'
import { rm } from '../../controller/commands/rm.ts'
import { rotate } from '../../controller/commands/rotate.ts'
import { grantsOf } from '../../controller/device-pages.ts'
import { reach } from '../../controller/device-session.ts'
import { chainIn, followDevice } from '../../controller/device-succession.ts'
import { EGO_FILE, readEgo, rotateEgo } from '../../controller/ego.ts'
import { FLEET_FILE } from '../../controller/fleet.ts'
import { settleDirectly } from '../../controller/jobs/courier.ts'
import { JobBook } from '../../controller/jobs/job-book.ts'
import { queueJobs } from '../../controller/jobs/queue.ts'
import { publishZone } from '../../controller/names.ts'
import { openPushTalk } from '../../controller/push/delivery.ts'
import { keepRevocation, revocations } from '../../controller/revocations.ts'
import { readSshKey, SSH_KEY_FILE } from '../../controller/ssh-key.ts'
import { equalBytes } from '../../src/base/bytes.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import { memoryStore } from '../../src/base/store.ts'
import { askGrant } from '../../src/box/control.ts'
import { type Grant, ownerGrant } from '../../src/box/grant.ts'
import { signGrant } from '../../src/box/grant-statement.ts'
import { signRevocation } from '../../src/box/revocation.ts'
import { WHOLE_SCOPE } from '../../src/box/scope.ts'
import { signSuccession } from '../../src/box/succession.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { zoneToText } from '../../src/gns/name.ts'
import type { RecordData } from '../../src/gns/record.ts'
import { Resolver } from '../../src/gns/resolver.ts'
import { ZoneDatabase } from '../../src/gns/zone.ts'
import { systemClock } from '../../src/sys/clock.ts'
import { systemRandom } from '../../src/sys/random.ts'
import { PushHouse } from './push/house.ts'

const strangers = ZoneSecret.generate('EDKEY', systemRandom)
const ONCE = { every: null, limitSeconds: 10, input: new Uint8Array(0) }

let house: PushHouse
beforeEach(async () => {
  house = await PushHouse.open()
  await house.device('attic')
  await house.device('cellar')
})
afterEach(() => house.close())

const context = () => house.controller.context
const device = (name: string) => context().fleet.device(name)

async function run(command: Command, args: object) {
  const { said } = house.controller
  said.out = ''
  said.err = ''
  const common = { json: false, state: undefined, timeout: 3, selector: undefined }
  const code = await command.run(context(), { ...common, ...args })
  return { code, out: said.out, err: said.err }
}

/** What an agent has inside. */
interface Inside {
  readonly grants: {
    all(): readonly Grant[]
    set(grant: Grant): void
    allows(zone: ZoneKey, right: 'admin', now: number): boolean
  }
  readonly notices: { look(): Promise<void> }
}
const inside = (name: string) => house.agent(name) as unknown as Inside
const isOwner = (name: string, zone: ZoneKey) =>
  inside(name).grants.allows(zone, 'admin', systemClock.now())

describe('box rotate ego', { timeout: 60_000 }, () => {
  test('gives a new identity, which devices take for the old one as they are reached', async () => {
    const before = context().ego()
    const backup = context().state.readText(EGO_FILE)!
    await house.off('cellar')
    const said = await run(rotate, { key: 'ego' })
    const after = context().ego()
    expect(after.secret.zone).not.toEqual(before.secret.zone)
    expect(said.code).toBe(75)
    expect(said.out).toMatch(
      new RegExp(`^${zoneToText(after.secret.zone)}\nattic {3}knows the new key\ncellar {2}off: `),
    )
    expect(house.audit('attic')).toEqual([
      `rotate in place of ${zoneToText(before.secret.zone)} done`,
    ])
    // Configuration is asked for on another port, on which nobody says who came after whom.
    await house.on('cellar')
    const talk = await openPushTalk(context(), device('cellar'), 5_000)
    talk.close()
    for (const name of ['attic', 'cellar']) {
      expect(isOwner(name, after.secret.zone)).toBe(true)
      expect(isOwner(name, before.secret.zone)).toBe(false)
    }
    // Whoever has the old key has nothing.
    const now = context().state.readText(EGO_FILE)!
    context().state.writeText(EGO_FILE, backup)
    await expect(grantsOf(context(), device('attic'), { timeoutMs: 3_000 })).rejects.toMatchObject({
      code: 'NOT_PERMITTED',
    })
    context().state.writeText(EGO_FILE, now)
    expect(await grantsOf(context(), device('attic'), { timeoutMs: 3_000 })).toHaveLength(1)
  })

  test('several times while a device is off leads it from the first key to the last', async () => {
    await house.off('cellar')
    for (let times = 0; times < 3; times++) await run(rotate, { key: 'ego', timeout: 1 })
    await house.on('cellar')
    expect(await grantsOf(context(), device('cellar'), { timeoutMs: 5_000 })).toHaveLength(1)
    expect(isOwner('cellar', context().ego().secret.zone)).toBe(true)
  })

  test('is found by a device in the zone of the old key, where nobody reaches it', async () => {
    await house.off('cellar')
    await run(rotate, { key: 'ego', timeout: 1 })
    await house.on('cellar')
    await inside('cellar').notices.look()
    expect(isOwner('cellar', context().ego().secret.zone)).toBe(true)
  })

  test('that cannot be written leaves the old key, and says so', async () => {
    const { state, random } = context()
    const text = state.readText(EGO_FILE)
    const broken = {
      ...state,
      exclusively: <T>(change: () => T) => state.exclusively(change),
      writeText: () => {
        throw new Error('no space')
      },
    }
    await expect(rotateEgo(broken, random, 1)).rejects.toThrow('no space')
    expect(state.readText(EGO_FILE)).toBe(text)
    expect(readEgo(state).chain).toEqual([])
  })
})

describe('box rotate ssh', () => {
  test('gives ssh another key', async () => {
    const { state } = context()
    await expect(run(rotate, { key: 'ssh' })).rejects.toMatchObject({ code: 'NO_EGO' })
    const { makeSshKey } = await import('../../controller/ssh-key.ts')
    await makeSshKey(state, systemRandom)
    const { publicKey } = await readSshKey(state)
    expect((await run(rotate, { key: 'ssh' })).code).toBe(0)
    expect((await readSshKey(state)).publicKey).not.toEqual(publicKey)
    expect(state.readText(SSH_KEY_FILE)).toMatch(/^-----BEGIN OPENSSH PRIVATE KEY-----/)
  })
})

describe('box rotate host', { timeout: 60_000 }, () => {
  test('gives devices other host keys, which they publish', async () => {
    const keyOf = async () => {
      const options = { service: 'control', timeoutMs: 5_000, forget: true } as const
      const { record, channel } = await reach(context(), device('attic'), options)
      channel.close()
      return record.hostKey
    }
    const before = await keyOf()
    expect(await run(rotate, { key: 'host', selector: 'attic' })).toEqual({
      ...{ code: 0, out: 'attic  has a new host key\n', err: '' },
    })
    // What is published goes out a moment later.
    await expect.poll(keyOf, { timeout: 10_000 }).not.toEqual(before)
    expect(house.audit('attic')).toEqual(['rotate host key done'])
  })

  test('wants to know which devices, and the other keys do not', async () => {
    for (const args of [{ key: 'host' }, { key: 'ego', selector: 'attic' }])
      await expect(run(rotate, args)).rejects.toMatchObject({ code: 'INPUT_INVALID' })
  })
})

describe('box rotate device', { timeout: 120_000 }, () => {
  const keyOf = (name: string) => house.agent(name).device.zone
  const rotateAttic = () => run(rotate, { key: 'device', selector: 'attic', timeout: 5 })

  test('gives a device another identity, which goes on in our fleet and under its name', async () => {
    const before = keyOf('attic')
    const { state, fleet } = context()
    const signed = signRevocation(context().ego().secret, keyOf('cellar'), 1)
    await keepRevocation(state, { signed, untold: [before] })
    state.writeText(auditHeadFile(before), '{"number":0,"hash":""}')
    const said = await rotateAttic()
    expect(said).toMatchObject({ code: 0, out: 'attic  has a new key\n' })
    const after = keyOf('attic')
    expect(after).not.toEqual(before)
    expect(device('attic')).toMatchObject({ zone: after, before: [before] })
    expect(house.audit('attic')).toContain(
      `rotate device key: ${zoneToText(after)} in place of ${zoneToText(before)} done`,
    )
    expect(house.agent('attic').status().device_zones_before).toMatchObject([
      { zone: zoneToText(before) },
    ])
    // What was kept of it lies where it is looked for.
    expect(state.readText(auditHeadFile(after))).not.toBeNull()
    expect(state.readText(auditHeadFile(before))).toBeNull()
    expect(revocations(state).flatMap(({ untold }) => untold)).not.toContainEqual(before)
    // By its name alone, and after a start.
    await house.off('attic')
    await house.on('attic')
    const options = { service: 'control', timeoutMs: 10_000, forget: true } as const
    const session = await reach(context(), device('attic'), options)
    session.channel.close()
    expect(session.chain).toHaveLength(0)
    expect(fleet.device('cellar').before).toBeUndefined()
    const untold = () => revocations(state).flatMap(kept => kept.untold)
    await expect.poll(untold, { timeout: 10_000 }).toEqual([])
  })

  test('is learnt by others who know the old one, wherever they hear of it first, and not twice', async () => {
    const { state } = context()
    const before = keyOf('attic')
    const asItWas = state.readText(FLEET_FILE)!
    await rotateAttic()
    await rotateAttic()
    const options = { service: 'push', timeoutMs: 10_000 } as const
    for (const forget of [false, true]) {
      state.writeText(FLEET_FILE, asItWas)
      const session = await reach(context(), device('attic'), { ...options, forget })
      session.channel.close()
      await expect.poll(() => device('attic').zone, { timeout: 10_000 }).toEqual(keyOf('attic'))
    }
    expect(device('attic').before).toEqual([before])
    expect(house.agent('attic').status().device_zones_before).toHaveLength(2)
  })

  test('stands in the zone of the old key; said again, or by others, it does nothing', async () => {
    const before = device('attic')
    const asItWas = context().state.readText(FLEET_FILE)!
    await rotateAttic()
    context().state.writeText(FLEET_FILE, asItWas)
    const found = new Promise<readonly RecordData[]>((resolve, reject) => {
      void context()
        .mesh()
        .then(async mesh => {
          const { clock } = context()
          const database = new ZoneDatabase(memoryStore())
          const resolver = new Resolver({ mesh, clock, zones: () => null, database })
          const asked = { labels: [], zone: before.zone }
          resolve((await resolver.resolve(asked, 'any', { fresh: true })).records)
          resolver.close()
        })
        .catch(reject)
    })
    const chain = chainIn(await found)
    expect(await followDevice(context(), before, chain)).toBe(true)
    expect(device('attic').zone).toEqual(keyOf('attic'))
    // Said again, it does nothing; nor does what leads elsewhere, or back.
    expect(await followDevice(context(), before, chain)).toBe(false)
    const back = signSuccession(house.agent('attic').device.secret, strangers, Date.now())
    expect(await followDevice(context(), device('cellar'), back)).toBe(false)
    expect(await followDevice(context(), device('attic'), back.slice(1))).toBe(false)
    expect(device('attic').zone).toEqual(keyOf('attic'))
  })

  test('is for whoever may grant there, four times in 90 days', async () => {
    for (let times = 0; times < 4; times++) expect((await rotateAttic()).code).toBe(0)
    const { zone } = device('attic')
    expect(await rotateAttic()).toMatchObject({ code: 77 })
    expect(keyOf('attic')).toEqual(zone)
    const ego = context().ego().secret.zone
    const { grants } = inside('attic')
    const own = grants.all().find(grant => equalBytes(grant.zone, ego))!
    grants.set({ ...own, rights: ['status', 'shell'] })
    expect(await rotateAttic()).toMatchObject({ code: 77 })
  })

  test('leaves what was pushed, and what was signed for the old key, as good as before', async () => {
    const { state, clock, ego } = context()
    const before = device('attic')
    const [queued] = await queueJobs(context(), [before], { line: 'true', ...ONCE }, 60_000)
    const grant = signGrant(ego().secret, {
      ...{ device: before.zone, holder: strangers.zone, number: clock.now(), until: null },
      ...{ name: 'guest', rights: ['status'], scope: WHOLE_SCOPE },
    })
    await rotateAttic()
    const session = await reach(context(), device('attic'), { service: 'control' })
    await askGrant(session, grant, { clock })
    expect(await settleDirectly(context(), device('attic'), 10_000)).toBeNull()
    const [job] = new JobBook(state).all()
    expect(job).toMatchObject({ id: queued!.id, offered: true })
    expect(job!.report).not.toBeNull()
  })
})

describe('box revoke @all', { timeout: 60_000 }, () => {
  const lost = ZoneSecret.generate('EDKEY', systemRandom)
  const names = { holder: 'laptop', deviceName: 'it' }
  beforeEach(() => {
    for (const name of ['attic', 'cellar'])
      inside(name).grants.set(ownerGrant(lost.zone, names, systemClock.now() - 1_000))
  })
  const everywhere = (person: string) => run(revoke, { name: '@all', person, timeout: 2 })

  test('ends a key on all devices; one that was off learns it when it is reached', async () => {
    await house.off('cellar')
    const said = await everywhere('laptop')
    expect(said.code).toBe(75)
    expect(said.out).toMatch(/^attic {3}has heard it\ncellar {2}off: /)
    expect([isOwner('attic', lost.zone), isOwner('cellar', lost.zone)]).toEqual([false, true])
    expect(house.audit('attic')).toContain(`revoke laptop ${zoneToText(lost.zone)} done`)
    // What is kept of the ended grant is no owner.
    expect(
      house
        .agent('attic')
        .status()
        .owners.map(({ name }) => name),
    ).toEqual(['home'])
    await house.on('cellar')
    const talk = await openPushTalk(context(), device('cellar'), 5_000)
    talk.close()
    await expect.poll(() => isOwner('cellar', lost.zone), { timeout: 10_000 }).toBe(false)
    await expect
      .poll(() => revocations(context().state).flatMap(({ untold }) => untold))
      .toEqual([])
  })

  test('is found by a device in the zone of its owner, where nobody reaches it', async () => {
    await house.off('cellar')
    await everywhere(zoneToText(lost.zone))
    await house.on('cellar')
    await inside('cellar').notices.look()
    expect(isOwner('cellar', lost.zone)).toBe(false)
    expect(isOwner('cellar', context().ego().secret.zone)).toBe(true)
  })

  test('holds after the revoking key was given up for another one', async () => {
    await house.off('cellar')
    await everywhere('laptop')
    await run(rotate, { key: 'ego', timeout: 1 })
    await house.on('cellar')
    const talk = await openPushTalk(context(), device('cellar'), 5_000)
    talk.close()
    await expect.poll(() => isOwner('cellar', lost.zone), { timeout: 10_000 }).toBe(false)
  })

  test('ends it where the clock of a device was ahead; who cannot tell is told again', async () => {
    const now = systemClock.now()
    const given = ownerGrant(lost.zone, names, now + 3_600_000)
    inside('attic').grants.set(given)
    inside('cellar').grants.set({ ...given, number: now + 30 * 24 * 3_600_000 })
    expect((await everywhere('laptop')).code).not.toBe(0)
    expect([isOwner('attic', lost.zone), isOwner('cellar', lost.zone)]).toEqual([false, true])
    const untold = revocations(context().state).flatMap(kept => kept.untold)
    expect(untold).toEqual([device('cellar').zone])
    // What it does not take keeps nothing else from it.
    const other = ZoneSecret.generate('EDKEY', systemRandom)
    inside('cellar').grants.set(ownerGrant(other.zone, { ...names, holder: 'phone' }, now - 1_000))
    await everywhere(zoneToText(other.zone))
    expect(isOwner('cellar', other.zone)).toBe(false)
    const left = revocations(context().state).map(kept => kept.untold.length)
    expect(left.toSorted()).toEqual([0, 1])
  })

  test('revokes neither nobody nor ourselves', async () => {
    await expect(everywhere('nobody')).rejects.toMatchObject({ code: 'INPUT_INVALID' })
    const own = zoneToText(context().ego().secret.zone)
    await expect(everywhere(own)).rejects.toMatchObject({ code: 'INPUT_INVALID' })
    expect(revocations(context().state)).toEqual([])
  })
})

describe('box rm --lost', { timeout: 60_000 }, () => {
  /** Whether a name of ours leads anybody else to a device. */
  async function leads(name: string): Promise<boolean> {
    const mesh = await context().mesh()
    const { clock } = context()
    const database = new ZoneDatabase(memoryStore())
    const resolver = new Resolver({ mesh, clock, zones: () => null, database })
    const asked = { labels: [name], zone: context().ego().secret.zone }
    try {
      const options = { fresh: true, timeoutMs: 2_000 }
      return (await resolver.resolve(asked, 'any', options)).chain.length > 1
    } catch (error) {
      if (error instanceof BoxError) return false
      throw error
    } finally {
      resolver.close()
    }
  }

  test('takes the name of a device out of the mesh, and leaves the others', async () => {
    for (const name of ['attic', 'cellar']) {
      const session = await reach(context(), device(name), { service: 'control', timeoutMs: 5_000 })
      session.channel.close()
    }
    await expect.poll(() => leads('cellar'), { timeout: 10_000 }).toBe(true)
    expect((await run(rm, { name: 'cellar', lost: true })).out).toBe('cellar is forgotten.\n')
    expect(await leads('cellar')).toBe(false)
    expect(await leads('attic')).toBe(true)
    // Nor is it there again after the next command.
    await publishZone(context())
    expect(await leads('cellar')).toBe(false)
  })
})
