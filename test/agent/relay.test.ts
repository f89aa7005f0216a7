/** A device that was off fetches from a relay what it shall have, confirms it itself, and believes no relay. */

import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { AuditNotes } from '../../agent/audit-notes.ts'
import { CatchUp } from '../../agent/catch-up.ts'
import { ParcelShelf } from '../../agent/parcel-shelf.ts'
import { PushAudit } from '../../agent/push-audit.ts'
import { serveRelay } from '../../agent/relay-service.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import { silentLog } from '../../src/base/log.ts'
import { memoryStore } from '../../src/base/store.ts'
import { AuditLog, memoryEntries, parseAuditEntry } from '../../src/box/audit.ts'
import { openParcel, packParcel } from '../../src/box/bundle/parcel.ts'
import { GrantBook, ownerGrant } from '../../src/box/grant.ts'
import { acceptHandshake, authenticate } from '../../src/box/handshake.ts'
import { servicePort } from '../../src/box/ports.ts'
import { PushTalk } from '../../src/box/push-talk.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { systemClock as clock } from '../../src/sys/clock.ts'
import { systemRandom as random } from '../../src/sys/random.ts'
import { type FakeMesh, FakeNet } from '../sim/fake-mesh.ts'
import { Place, push } from './apply/place.ts'

let place: Place
let applier: ReturnType<Place['applier']>
let catchUp: CatchUp
let shelf: ParcelShelf
let relay: ZoneSecret
let relayMesh: FakeMesh
let deviceMesh: FakeMesh
let fetched: string[]
const posted = memoryStore()
let canDial: boolean
const entries = { current: memoryEntries() }

beforeEach(async () => {
  place = new Place(clock)
  place.put({ a: 'old' })
  const net = new FakeNet({ clock, random, latencyMs: 0 })
  ;[relayMesh, deviceMesh] = [net.peer(), net.peer()]
  relay = ZoneSecret.generate('EDKEY', random)
  shelf = new ParcelShelf(memoryStore(), () => clock.now())
  fetched = []
  canDial = true
  entries.current = memoryEntries()
  const grants = new GrantBook(memoryStore())
  grants.set(ownerGrant(place.owner.zone, { holder: 'home', deviceName: 'kitchen' }, 0))
  const { device } = place
  const notes = new AuditNotes({
    ...{ audit: new AuditLog(entries.current), grants, device, clock, log: silentLog },
  })
  const audit = new PushAudit(notes)
  listen(notes)
  applier = place.applier({ told: event => audit.happened(event) })
  await applier.recover()
  catchUp = new CatchUp({
    ...{ mesh: deviceMesh, device: place.keys, clock, random, log: silentLog },
    ...{ relays: [relay.zone], hubs: [relayMesh.self], applier, audit },
    dials: async () => canDial,
  })
})
afterEach(() => {
  catchUp.close()
  applier.close()
  place.clean()
})

function listen(audit: AuditNotes): void {
  const allows = (zone: ZoneKey) => zone.join() === place.owner.zone.join()
  relayMesh.listen(servicePort('relay', relay.zone), channel => {
    void acceptHandshake(channel, {
      ...{ self: relayMesh.self, purpose: 'relay', own: relay, clock, random },
      admit: () => ({ payload: new Uint8Array(0) }),
    }).then(
      session =>
        serveRelay(session, {
          ...{ clock, log: silentLog, audit, allows: () => allows(session.peerZone) },
          post: {
            jobs: new ParcelShelf(posted, () => clock.now(), 'jobs'),
            results: new ParcelShelf(posted, () => clock.now(), 'results'),
          },
          shelf: Object.assign(Object.create(shelf) as ParcelShelf, {
            get: (kept: Parameters<ParcelShelf['get']>[0]) => {
              fetched.push(String(kept.sequence))
              return shelf.get(kept)
            },
          }),
        }),
      () => {},
    )
  })
}

/** Leaves a release with the relay, as a controller does. */
function leave(
  { signed, contents }: ReturnType<Place['release']>,
  { sequence = 1, from = place.owner.zone, device = place.device.zone } = {},
): void {
  shelf.put(place.device.zone, from, sequence, packParcel({ signed, contents }, device, random)!)
}

const a = () => readFileSync(place.path('a'), 'utf8')
const lines = () =>
  entries.current
    .entries()
    .flatMap(value => parseAuditEntry(value) ?? [])
    .map(({ who, what, result }) => `${who}: ${what} ${result}`)

test('fetches, applies and confirms what waits for it, and the relay keeps it no longer', async () => {
  leave(place.release({ a: { text: 'new' }, key: { text: 'hunter22', secret: true } }))
  expect(await catchUp.look()).toBe(true)
  expect(a()).toBe('new')
  expect(applier.state.history().last).toMatchObject({ is: 'confirmed', generation: 1, by: null })
  expect(shelf.waitingFor(place.device.zone)).toEqual([])
  expect(lines()).toEqual([
    'home: push begun',
    ...['push staged', 'push waits', 'push confirmed'].map(what => `the device itself: ${what}`),
  ])
  await catchUp.look()
  expect(fetched).toEqual(['1'])
})

test('fetches what was left for a key that it has given up since, secrets and all', async () => {
  leave(place.release({ a: { text: 'new' }, key: { text: 'hunter22', secret: true } }))
  place.keys.rotate(clock.now())
  expect(await catchUp.look()).toBe(true)
  expect(a()).toBe('new')
  expect(readFileSync(place.path('key'), 'utf8')).toBe('hunter22')
  expect(applier.state.history().last).toMatchObject({ is: 'confirmed', generation: 1, by: null })
  expect(shelf.waitingFor(place.device.zone)).toEqual([])
})

test('takes the newest of what waits, and older versions are refused however often they are kept', async () => {
  const older = place.release({ a: { text: 'older' } })
  leave(older, { from: relay.zone, sequence: 1 })
  leave(place.release({ a: { text: 'newer' } }), { sequence: 2 })
  await catchUp.look()
  expect(a()).toBe('newer')
  // A relay that says it were newer than it is.
  leave(older, { from: relay.zone, sequence: 99 })
  await catchUp.look()
  expect(a()).toBe('newer')
  expect(lines().at(-1)).toBe('home: push refused')
})

test('refuses, once, what no owner has signed, what is for another device, and what is nothing at all', async () => {
  const before = place.tree()
  leave(place.release({ a: { text: 'x' } }, {}, relay), { sequence: 3 })
  leave(place.release({ a: { text: 'x' } }), { from: relay.zone, device: relay.zone, sequence: 2 })
  shelf.put(place.device.zone, ZoneSecret.generate('EDKEY', random).zone, 1, random.bytes(500))
  for (let i = 0; i < 3; i++) expect(await catchUp.look()).toBe(true)
  expect(place.tree()).toEqual(before)
  expect(fetched).toEqual(['3', '2', '1'])
})

test('puts it back where no new connection to a hub can be made since', async () => {
  canDial = false
  leave(place.release({ a: { text: 'new' } }, { confirmSeconds: 1 }))
  await catchUp.look()
  await expect.poll(() => applier.open).toBeNull()
  expect(a()).toBe('old')
  expect(applier.state.history().last).toMatchObject({ is: 'put back' })
})

test('puts it back where the relay cannot be reached anew', async () => {
  leave(place.release({ a: { text: 'new' } }, { confirmSeconds: 1 }))
  // The channel that is there outlives the change; a new one cannot be opened.
  const connect = deviceMesh.connect.bind(deviceMesh)
  let count = 0
  deviceMesh.connect = (...args) =>
    count++ === 0 ? connect(...args) : Promise.reject(new BoxError('PEER_UNREACHABLE'))
  await catchUp.look()
  await expect.poll(() => applier.open, { timeout: 5_000 }).toBeNull()
  expect(a()).toBe('old')
})

test('leaves it for later while another change awaits its confirmation', async () => {
  await push(applier, place.release({ a: { text: 'first' } }))
  leave(place.release({ a: { text: 'second' } }), { sequence: 2 })
  await catchUp.look()
  expect(fetched).toEqual([])
  applier.confirm(applier.open!.id)
  await catchUp.look()
  expect(a()).toBe('second')
})

test('goes on when no relay answers', async () => {
  relayMesh.stop()
  expect(await catchUp.look()).toBe(false)
})

async function talkAs(own: ZoneSecret): Promise<PushTalk> {
  const channel = await deviceMesh.connect(relayMesh.self, servicePort('relay', relay.zone))
  const self = deviceMesh.self
  const session = await authenticate(channel, {
    ...{ self, purpose: 'relay', own, device: relay.zone, clock, random },
  })
  return new PushTalk(session.channel, clock)
}

test('a relay takes parcels from those who may push to it alone, and gives them to nobody else', async () => {
  const { signed, contents } = place.release({ a: { text: 'new' } })
  const parcel = packParcel({ signed, contents }, place.device.zone, random)!
  const about = { device: zoneToText(place.device.zone), sequence: 1 }
  const stranger = await talkAs(ZoneSecret.generate('EDKEY', random))
  await expect(stranger.give('deposit', parcel, about)).rejects.toMatchObject({
    code: 'NOT_PERMITTED',
  })
  const owner = await talkAs(place.owner)
  for (const wrong of [
    { ...about, device: 5 },
    { ...about, sequence: -1 },
    { device: about.device },
  ])
    await expect(owner.give('deposit', parcel, wrong)).rejects.toMatchObject({
      code: 'PUSH_REFUSED',
    })
  await owner.give('deposit', parcel, about)
  for (const talk of [stranger, owner]) {
    expect(await talk.ask('waiting', {})).toEqual({ parcels: [] })
    const id = `${zoneToText(place.owner.zone)}-1`
    for (const kind of ['collect', 'collected', 'apply'] as const)
      await expect(talk.ask(kind, { id })).rejects.toMatchObject({ code: 'PUSH_REFUSED' })
    talk.close()
  }
  expect(shelf.waitingFor(place.device.zone)).toHaveLength(1)
})

test('a parcel tells nothing but its size, in steps', () => {
  const sizes = ['x', 'x'.repeat(3_000)].map(text => {
    const { signed, contents } = place.release({ a: { text } })
    const parcel = packParcel({ signed, contents }, place.device.zone, random)!
    expect(openParcel(place.device, parcel)).toEqual({ signed, contents })
    expect(Buffer.from(parcel).includes(place.root)).toBe(false)
    return parcel.length
  })
  expect(sizes[0]).toBe(sizes[1])
  const large = new Uint8Array(4 * 1_024 * 1_024)
  expect(packParcel({ signed: large, contents: [] }, place.device.zone, random)).toBeNull()
})
