/** Jobs by way of a relay: who may leave what for whom, and that a device believes signatures alone. */

import { beforeEach, expect, test } from 'vitest'
import { AuditNotes } from '../../agent/audit-notes.ts'
import { JobPost } from '../../agent/job-post.ts'
import { ParcelShelf } from '../../agent/parcel-shelf.ts'
import { serveRelay } from '../../agent/relay-service.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import { silentLog } from '../../src/base/log.ts'
import { memoryStore } from '../../src/base/store.ts'
import { AuditLog, memoryEntries } from '../../src/box/audit.ts'
import { openParcel, PARCEL_BYTES_MAX, packParcel } from '../../src/box/bundle/parcel.ts'
import { GrantBook } from '../../src/box/grant.ts'
import { acceptHandshake, authenticate } from '../../src/box/handshake.ts'
import { openReports } from '../../src/box/job-report.ts'
import { servicePort } from '../../src/box/ports.ts'
import { PushTalk } from '../../src/box/push-talk.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { FakeNet } from '../sim/fake-mesh.ts'
import { JobPlace } from './job-place.ts'

let place: JobPlace
let relay: ZoneSecret
let visitor: ReturnType<FakeNet['peer']>
let host: ReturnType<FakeNet['peer']>
let post: { jobs: ParcelShelf; results: ParcelShelf }
let jobPost: JobPost
/** Who may push to the relay. */
let trusted: readonly ZoneKey[]

beforeEach(() => {
  place = new JobPlace()
  const { world } = place
  const { random } = world
  relay = ZoneSecret.generate('EDKEY', random)
  const net = new FakeNet({ clock: world, random })
  ;[host, visitor] = [net.peer(), net.peer()]
  trusted = [place.owner.zone]
  const store = memoryStore()
  const shelf = (name: 'parcel' | 'jobs' | 'results') =>
    new ParcelShelf(store, () => world.now(), name)
  post = { jobs: shelf('jobs'), results: shelf('results') }
  const audit = new AuditNotes({
    ...{ audit: new AuditLog(memoryEntries()), grants: new GrantBook(memoryStore()) },
    ...{ device: relay, clock: world, log: silentLog },
  })
  host.listen(servicePort('relay', relay.zone), channel => {
    void acceptHandshake(channel, {
      ...{ self: host.self, purpose: 'relay', own: relay, clock: world, random },
      admit: () => ({ payload: new Uint8Array(0) }),
    }).then(session => {
      const allows = () => trusted.some(zone => zone.join() === session.peerZone.join())
      void serveRelay(session, {
        ...{ clock: world, log: silentLog, shelf: shelf('parcel'), post, audit, allows },
      })
    })
  })
  const { jobs } = place
  jobPost = new JobPost({ clock: world, random, log: silentLog, jobs })
})

async function talkAs(own: ZoneSecret): Promise<PushTalk> {
  const { world } = place
  const channel = await visitor.connect(host.self, servicePort('relay', relay.zone))
  const session = await authenticate(channel, {
    ...{ self: visitor.self, purpose: 'relay', own, device: relay.zone },
    ...{ clock: world, random: world.random },
  })
  return new PushTalk(session.channel, world)
}
const within = <T>(work: Promise<T>): Promise<T> => place.world.until(work, 60_000)
const as = (own: ZoneSecret, work: (talk: PushTalk) => Promise<unknown>) =>
  within(
    talkAs(own).then(async talk => {
      try {
        return await work(talk)
      } finally {
        talk.close()
      }
    }),
  )

const leaveJobs = (by: ZoneSecret, contents: readonly Uint8Array[]) => {
  const { device, world } = place
  const parcel = packParcel({ signed: new Uint8Array(0), contents }, device.zone, world.random)!
  const about = { shelf: 'jobs', to: zoneToText(device.zone), sequence: world.now() }
  return as(by, talk => talk.give('leave', parcel, about))
}
const visit = () => as(place.device, talk => jobPost.visit(talk, 'relay', place.device))
const resultsFor = (reader: ZoneSecret) => {
  const [kept] = post.results.waitingFor(reader.zone)
  const { signed } = openParcel(reader, post.results.get(kept!)!)
  return openReports(signed, { devices: [place.device.zone], reader: reader.zone })
}

test('a job left there runs once, and what comes of it is left for its signer alone', async () => {
  const job = place.signed('uptime')
  await leaveJobs(place.owner, [job.raw])
  await visit()
  expect(place.started.map(({ line }) => line)).toEqual(['uptime'])
  expect(post.jobs.waitingFor(place.device.zone)).toEqual([])
  expect(resultsFor(place.owner)).toMatchObject([{ id: job.id, is: 'begun' }])
  await place.end(job.id)
  await leaveJobs(place.owner, [job.raw])
  await visit()
  expect(place.started).toHaveLength(1)
  expect(resultsFor(place.owner)).toMatchObject([{ id: job.id, is: 'ended' }])
  expect(post.results.waitingFor(place.owner.zone)).toHaveLength(1)
  // Others, the device itself among them, are handed nothing of it.
  const [kept] = post.results.waitingFor(place.owner.zone)
  const about = { shelf: 'results', id: `${kept!.from}-${kept!.sequence}` }
  for (const other of [place.device, relay])
    await expect(as(other, talk => talk.fetch('take', about, PARCEL_BYTES_MAX))).rejects.toThrow(
      'not kept here',
    )
  await as(place.owner, talk => talk.ask('taken', about))
  expect(post.results.waitingFor(place.owner.zone)).toEqual([])
})

test('nobody leaves jobs there without the right to, nor results for whoever left no job', async () => {
  const { world, device } = place
  const stranger = ZoneSecret.generate('EDKEY', world.random)
  await expect(leaveJobs(stranger, [place.signed('id').raw])).rejects.toMatchObject({
    code: 'NOT_PERMITTED',
  })
  const result = (by: ZoneSecret, to: ZoneKey) => {
    const parcel = packParcel({ signed: new Uint8Array(0), contents: [] }, to, world.random)!
    const about = { shelf: 'results', to: zoneToText(to), sequence: world.now() }
    return as(by, talk => talk.give('leave', parcel, about))
  }
  const refused = { code: 'NOT_PERMITTED' }
  await expect(result(device, place.owner.zone)).rejects.toMatchObject(refused)
  await leaveJobs(place.owner, [place.signed('id').raw])
  await result(device, place.owner.zone)
  await expect(result(stranger, place.owner.zone)).rejects.toMatchObject(refused)
  await expect(result(device, stranger.zone)).rejects.toMatchObject(refused)
  for (const shelf of ['parcel', 'x', 5, null])
    await expect(as(place.owner, talk => talk.ask('find', { shelf }))).rejects.toMatchObject({
      code: 'PUSH_REFUSED',
    })
})

test('a job that nobody may have run there is refused, and those beside it are taken', async () => {
  const stranger = ZoneSecret.generate('EDKEY', place.world.random)
  trusted = [stranger.zone]
  const noise = place.world.random.bytes(200)
  const foreign = place.signed('foreign', { by: stranger })
  await leaveJobs(stranger, [noise, foreign.raw, place.signed('own').raw])
  await visit()
  expect(place.started.map(({ line }) => line)).toEqual(['own'])
  expect(post.jobs.waitingFor(place.device.zone)).toEqual([])
})

test('a job stays there while the clock of the device is days behind, and holds up nothing else', async () => {
  const number = place.world.now() + 48 * 3_600_000
  const job = place.signed('id', { number })
  const stranger = ZoneSecret.generate('EDKEY', place.world.random)
  await leaveJobs(place.owner, [job.raw, place.signed('now').raw])
  await visit()
  expect(place.started.map(({ line }) => line)).toEqual(['now'])
  expect(resultsFor(place.owner)).toMatchObject([{ is: 'begun' }])
  await place.end(resultsFor(place.owner)[0]!.id)
  // Of somebody who may do nothing there, nothing stays.
  trusted = [place.owner.zone, stranger.zone]
  await leaveJobs(stranger, [place.signed('id', { number, by: stranger }).raw])
  await visit()
  expect(post.jobs.waitingFor(place.device.zone)).toHaveLength(1)
  await place.world.pass(48 * 3_600_000)
  await visit()
  expect(place.started.map(({ line }) => line)).toEqual(['now', 'id'])
})
