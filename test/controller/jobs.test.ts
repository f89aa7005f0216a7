/** Jobs in the state of a controller: they outlive its processes, reach their devices once, and lie to nobody. */

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { AuditNotes } from '../../agent/audit-notes.ts'
import { serveJobs } from '../../agent/job-service.ts'
import { Jobs } from '../../agent/jobs.ts'
import { ParcelShelf, type ShelfName } from '../../agent/parcel-shelf.ts'
import { serveRelay } from '../../agent/relay-service.ts'
import { exec as execCommand } from '../../controller/commands/exec.ts'
import { jobs as command } from '../../controller/commands/jobs.ts'
import { settle } from '../../controller/jobs/courier.ts'
import { JobBook } from '../../controller/jobs/job-book.ts'
import { stateText } from '../../controller/jobs/job-view.ts'
import { cancelJob, queueJobs } from '../../controller/jobs/queue.ts'
import { silentLog } from '../../src/base/log.ts'
import { memoryStore } from '../../src/base/store.ts'
import { AuditLog, memoryEntries } from '../../src/box/audit.ts'
import { openParcel } from '../../src/box/bundle/parcel.ts'
import { GrantBook, ownerGrant } from '../../src/box/grant.ts'
import { openJob } from '../../src/box/job-statement.ts'
import { PushTalk } from '../../src/box/push-talk.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { keysOf } from '../agent/only-key.ts'
import { utf8 } from '../vectors.ts'
import { type Controller, deviceOf, Rig, RigDevice } from './rig.ts'

// What exec loads when it needs it: the time of a World does not wait for that.
import '../../controller/remote-command.ts'
import '../../controller/jobs/later.ts'

const DAY_MS = 24 * 3_600_000
const TIMEOUT_MS = 5_000

let rig: Rig
let owner: Controller
let kitchen: RigDevice
let jobs: Jobs
let started: string[]
/** What commands end with; null: they run on. */
let exit: number | null

beforeEach(async () => {
  rig = new Rig()
  owner = await rig.controller({ json: true })
  kitchen = await rig.device(owner, 'kitchen')
  started = []
  exit = 0
  jobs = startJobs(kitchen)
  kitchen.serving.jobs = session =>
    void serveJobs(session, {
      ...{ jobs, device: kitchen.secret, clock: rig.world, log: silentLog, isKnown: () => true },
    })
})
afterEach(() => rig.clean())

function startJobs(device: RigDevice): Jobs {
  const { world } = rig
  const grants = new GrantBook(memoryStore())
  const names = { holder: 'home', deviceName: 'kitchen' }
  grants.set(ownerGrant(owner.context.ego().secret.zone, names, 0))
  const { secret } = device
  const log = silentLog
  const audit = new AuditLog(memoryEntries())
  return new Jobs({
    ...{
      store: memoryStore(),
      clock: world,
      log,
      device: keysOf(secret, { clock: world }),
      grants,
      user: 'root',
      accounts: { find: () => 'USER_UNKNOWN' as const },
    },
    audit: new AuditNotes({ audit, grants, device: secret, clock: world, log }),
    record: () => null,
    run: ({ line, signal }) => {
      started.push(line)
      const end = (exit: { code: number } | { signal: string }) => ({
        ...{ exit, isLate: false },
        ...{ out: { bytes: utf8('out'), dropped: 7 }, err: { bytes: utf8(''), dropped: 0 } },
      })
      if (exit !== null) return Promise.resolve(end({ code: exit }))
      return new Promise(resolve =>
        signal.addEventListener('abort', () => resolve(end({ signal: 'TERM' }))),
      )
    },
  })
}

const book = () => new JobBook(owner.context.state)
const states = () => book().all().map(stateText)
const queue = (line: string, lastsMs = 7 * DAY_MS) =>
  rig.world.until(
    queueJobs(
      owner.context,
      [deviceOf(owner, 'kitchen')],
      { line, input: new Uint8Array(0), limitSeconds: 60, every: null },
      lastsMs,
    ),
    TIMEOUT_MS,
  )
const look = () =>
  rig.world.until(settle(owner.context, [deviceOf(owner, 'kitchen')], TIMEOUT_MS), 10 * TIMEOUT_MS)
const typed = (args: object) =>
  rig.world.until(
    command.run(owner.context, {
      ...{ action: 'ls', id: undefined, device: undefined, over: false, offline: false },
      ...{ timeout: 5, json: true, state: undefined, ...args },
    } as never),
    20 * TIMEOUT_MS,
  )

test('a job waits in the state, runs when the device is there, once, and leaves its result', async () => {
  kitchen.stop()
  const [job] = await queue('uptime')
  expect((await look())[0]!.error?.family).toBe('unreachable')
  expect(states()).toEqual(['waits for the device'])
  kitchen.move()
  await look()
  await look()
  expect(started).toEqual(['uptime'])
  expect(states()).toEqual(['exit 0'])
  expect(await typed({ action: 'show', id: job!.id.slice(0, 6).toLowerCase() })).toBe(0)
  expect(JSON.parse(owner.said.out)).toMatchObject({
    ...{ id: job!.id, device: 'kitchen', state: 'ended' },
    runs: [{ exit_code: 0, stdout: 'out', truncated: true }],
  })
  expect(await typed({ action: 'rm', over: true })).toBe(0)
  expect(book().all()).toEqual([])
})

test('a job whose answer was lost is the same job when it is brought again', async () => {
  exit = null
  const [job] = await queue('sleep')
  const serve = kitchen.serving.jobs!
  kitchen.serving.jobs = session => {
    const talk = new PushTalk(session.channel, rig.world)
    void talk.asked().then(async ({ body }) => {
      jobs.take(await talk.takeParts(body.size, 99_999))
      talk.close()
    })
  }
  expect((await look())[0]!.error?.family).toBe('unreachable')
  expect(states()).toEqual(['brought, not heard of yet'])
  // It may be there: that it is cancelled is known when the device has said so.
  await cancelJob(owner.context, book().all()[0]!)
  expect(states()).toEqual(['to be cancelled when the device is back'])
  kitchen.serving.jobs = serve
  await look()
  await look()
  expect(started).toEqual(['sleep'])
  expect(states()).toEqual(['cancelled'])
  expect(jobs.reports(owner.context.ego().secret.zone)).toMatchObject([
    { id: job!.id, is: 'cancelled' },
  ])
})

test('a job that is cancelled before the device has it is not begun, and is over', async () => {
  await queue('reboot')
  const serve = kitchen.serving.jobs!
  kitchen.serving.jobs = ({ channel }) => {
    const talk = new PushTalk(channel, rig.world)
    void talk.asked().then(() => talk.close())
  }
  expect((await look())[0]!.error?.family).toBe('unreachable')
  await cancelJob(owner.context, book().all()[0]!)
  kitchen.serving.jobs = serve
  await look()
  expect(started).toEqual([])
  expect(states()).toEqual(['cancelled: The device has nothing of it.'])
  expect(book().open()).toEqual([])
})

describe('by way of a relay', () => {
  let shelf: ParcelShelf
  let relay: RigDevice

  beforeEach(async () => {
    const { world } = rig
    relay = new RigDevice(rig)
    const about = { zone: relay.secret.zone, tags: ['relay'], pairedAt: world.now(), last: null }
    await owner.context.fleet.add({ name: 'hub', ...about })
    const store = memoryStore()
    const shelfOf = (name: ShelfName) => new ParcelShelf(store, () => world.now(), name)
    shelf = shelfOf('jobs')
    const audit = new AuditNotes({
      ...{ audit: new AuditLog(memoryEntries()), grants: new GrantBook(memoryStore()) },
      ...{ device: relay.secret, clock: world, log: silentLog },
    })
    relay.serving.relay = session =>
      void serveRelay(session, {
        ...{ clock: world, log: silentLog, audit, allows: () => true, shelf: shelfOf('parcel') },
        post: { jobs: shelf, results: shelfOf('results') },
      })
    kitchen.stop()
  })

  /** What the device does at its next start. */
  function fetchJobs(): void {
    const [kept] = shelf.waitingFor(kitchen.secret.zone)
    const { contents } = openParcel(kitchen.secret, shelf.get(kept!)!)
    for (const signed of contents) {
      try {
        jobs.take(signed)
      } catch {}
    }
  }

  test('a job that is cancelled before the device fetches it is not begun, and is over some day', async () => {
    await queue('reboot')
    await look()
    expect(states()).toEqual(['waits at hub'])
    await cancelJob(owner.context, book().all()[0]!)
    await look()
    fetchJobs()
    expect(started).toEqual([])
    relay.stop()
    await rig.world.pass(8 * DAY_MS)
    await look()
    // It may have been begun unseen: its cancellation goes on waiting for the device.
    expect(states()).toEqual(['to be cancelled when the device is back'])
    await rig.world.pass(30 * DAY_MS)
    await look()
    expect(states()).toEqual(['cancelled: The device has said nothing of it.'])
    expect(book().open()).toEqual([])
  })

  test('a job that has begun unseen is ended', async () => {
    exit = null
    await queue('sleep')
    await look()
    fetchJobs()
    expect(started).toEqual(['sleep'])
    await cancelJob(owner.context, book().all()[0]!)
    await look()
    fetchJobs()
    expect(jobs.reports(owner.context.ego().secret.zone)).toMatchObject([{ is: 'cancelled' }])
  })
})

test('what never left is cancelled at once, and what is too late is closed', async () => {
  kitchen.stop()
  await queue('first')
  await cancelJob(owner.context, book().all()[0]!)
  expect(states()).toEqual(['cancelled: It was cancelled before it left here.'])
  await queue('second', 60_000)
  await rig.world.pass(61_000)
  await look()
  expect(states()[0]).toBe('expired: Its time was over before the device was there.')
  kitchen.move()
  await look()
  expect(started).toEqual([])
})

test('numbers are never used twice, whatever the clock says, and names of jobs differ', async () => {
  const many = Promise.all(Array.from({ length: 20 }, () => book().number(5)))
  const numbers = await rig.world.until(many, TIMEOUT_MS)
  expect(new Set(numbers).size).toBe(20)
  const [[a], [b]] = [await queue('a'), await queue('b')]
  expect(a!.id).not.toBe(b!.id)
  expect(() => book().find('')).toThrow('may be')
  expect(() => book().find('zzz')).toThrow('no such job')
})

describe('a device that lies', () => {
  const answer = (sign: (reader: ZoneSecret['zone']) => Uint8Array) => {
    kitchen.serving.jobs = session => {
      const talk = new PushTalk(session.channel, rig.world)
      void talk.serve(
        9,
        async (kind, body) => {
          if (kind === 'job') {
            await talk.takeParts(body.size, 99_999)
            talk.answer({ id: 'X' })
            return
          }
          const reports = sign(session.peerZone)
          talk.answer({ size: reports.length })
          await talk.sendParts(reports)
        },
        () => {},
      )
    }
  }

  test('speaks for itself alone: what another device signed, or nobody, is no result', async () => {
    await queue('id')
    const { signReports } = await import('../../src/box/job-report.ts')
    const other = ZoneSecret.generate('EDKEY', rig.world.random)
    for (const bytes of [
      (reader: ZoneSecret['zone']) => signReports(other, reader, []),
      () => signReports(kitchen.secret, other.zone, []),
      () => rig.world.random.bytes(300),
      () => new Uint8Array(0),
    ]) {
      answer(bytes)
      expect((await look())[0]!.error?.family).toBe('fault')
    }
    expect(states()).toEqual(['brought, not heard of yet'])
  })
})

test('a job that the device refuses is over, with its reason', async () => {
  const stranger = await rig.controller({ json: true, ego: 'away' })
  const zone = kitchen.secret.zone
  await stranger.context.fleet.add({ ...deviceOf(owner, 'kitchen'), zone, name: 'kitchen' })
  owner = stranger
  await queue('id')
  await look()
  expect(states()).toEqual(['refused: Its signer may run no commands here.'])
  expect(await typed({ action: 'show', id: book().all()[0]!.id })).toBe(77)
})

describe('box exec', () => {
  const exec = (args: object) =>
    rig.world.until(
      execCommand.run(owner.context, {
        ...{ selector: 'kitchen', all: false, parallel: 4, timeout: 5, limit: undefined },
        ...{ stdin: false, script: undefined, queue: false, every: undefined, expires: undefined },
        ...{ json: true, state: undefined, '--': ['uptime'], ...args },
      } as never),
      20 * TIMEOUT_MS,
    )

  test('--queue keeps for a device that is off what it would have run; without it nothing is kept', async () => {
    kitchen.stop()
    expect(await exec({})).toBe(75)
    expect(book().all()).toEqual([])
    owner.said.out = ''
    expect(await exec({ queue: true, expires: '2d' })).toBe(0)
    const said = JSON.parse(owner.said.out) as Record<string, string>
    expect(said).toMatchObject({ device: 'kitchen', line: 'uptime', state: 'waiting', every: null })
    expect(Date.parse(said.expires_at!) - Date.parse(said.queued_at!)).toBe(2 * DAY_MS)
    kitchen.move()
    expect(await typed({})).toBe(0)
    expect(started).toEqual(['uptime'])
  })

  test('USER@ is signed with what waits, and shown; the device has the last word', async () => {
    kitchen.stop()
    expect(await exec({ selector: 'ada@kitchen', queue: true })).toBe(0)
    expect(JSON.parse(owner.said.out)).toMatchObject({ line: 'uptime', user: 'ada' })
    const [job] = book().all()
    expect(openJob(job!.signed).demand).toMatchObject({ line: 'uptime', user: 'ada' })
    // Without one, the statement is what it was before there were users: older devices take it.
    await queue('uptime')
    expect(openJob(book().all()[0]!.signed).demand).not.toHaveProperty('user')
    kitchen.move()
    await typed({})
    expect(started).toEqual(['uptime'])
    expect(states()).toEqual(['exit 0', 'refused: The device has no such user.'])
  })

  test('--every leaves a schedule with the device, and wants to be understood', async () => {
    expect(await exec({ every: 'daily 03:30' })).toBe(0)
    expect(states()[0]).toMatch(/^every daily 03:30, next \d{4}-/)
    for (const wrong of [
      { every: 'sometimes' },
      { every: '1h', queue: true },
      { expires: '2d' },
      { queue: true, expires: 'soon' },
      { queue: true, expires: '500d' },
      { queue: true, '--': ['x'.repeat(9_000)] },
    ])
      await expect(exec(wrong)).rejects.toMatchObject({ family: 'usage' })
    expect(book().all()).toHaveLength(1)
    expect(await typed({ action: 'cancel', id: book().all()[0]!.id })).toBe(0)
    expect(states()).toEqual(['cancelled'])
  })
})
