/** Jobs run once, for whoever may have them run, in their time; whatever is brought again, and whenever it is killed. */

import { beforeEach, describe, expect, test } from 'vitest'
import { BoxError } from '../../src/base/errors.ts'
import type { Right } from '../../src/box/grant.ts'
import { signJob } from '../../src/box/job-statement.ts'
import { WHOLE_SCOPE } from '../../src/box/scope.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { seededRandom } from '../sim/random.ts'
import { DAY_MS, HOUR_MS, JobPlace } from './job-place.ts'

let place: JobPlace

beforeEach(() => {
  place = new JobPlace()
})

const guest = ZoneSecret.generate('EDKEY', seededRandom(9))
const grantGuest = (rights: readonly Right[], more: object = {}) =>
  place.grant({
    ...{ zone: guest.zone, holder: 'ada', deviceName: 'hut', rights, until: null, since: 0 },
    ...{ scope: WHOLE_SCOPE, number: 1, ...more },
  })

test('runs a job once, however often it is brought, also after it is done and forgotten', async () => {
  const job = place.signed('uptime')
  for (let i = 0; i < 3; i++) expect(place.jobs.take(job.raw)).toBe(job.id)
  expect(place.started.map(({ line, deviceName }) => [line, deviceName])).toEqual([
    ['uptime', 'kitchen'],
  ])
  expect(new TextDecoder().decode(place.started[0]!.input)).toBe('in')
  await place.end(job.id, 3, 'up 3 days')
  place.jobs.take(job.raw)
  place.restart()
  place.jobs.take(job.raw)
  expect(place.report(job.id)).toMatchObject({ is: 'ended', runs: [{ exitCode: 3, why: null }] })
  expect(new TextDecoder().decode(place.report(job.id).runs[0]!.out)).toBe('up 3 days')
  place.jobs.forget(place.owner.zone, job.id)
  expect(() => place.jobs.take(job.raw)).toThrow('It was here already')
  place.restart()
  expect(() => place.jobs.take(job.raw)).toThrow('It was here already')
  expect(place.started).toHaveLength(1)
  expect(place.store.names().filter(name => name !== 'jobs-seen')).toEqual([])
  expect(place.noted()).toEqual([
    'home: uptime waiting',
    'home: uptime begun',
    'home: uptime exit 3',
    'home: uptime refused: It was here already.',
    'home: uptime refused: It was here already.',
  ])
})

test('refuses jobs of whoever needs another person for it, once or by a schedule', () => {
  grantGuest(['exec'], { scope: { ...WHOLE_SCOPE, approved: true } })
  for (const every of [null, '1h']) {
    const signed = signJob(guest, {
      ...{ device: place.device.zone, number: place.world.now(), expiresAt: place.world.now() + 9 },
      demand: { do: 'run', line: 'true', input: new Uint8Array(0), limitSeconds: 9, every },
    })
    expect(() => place.jobs.take(signed)).toThrow(/another person/)
  }
  expect(place.started).toEqual([])
})

test('refuses old jobs when it has forgotten more of them than it can name', () => {
  const first = place.signed('first')
  place.jobs.take(first.raw)
  for (let i = 0; i < 1_100; i++) {
    const job = place.signed(`echo ${i}`)
    place.jobs.take(place.cancellation(job))
    if (i > 0) continue
    place.jobs.take(place.cancellation(first))
    place.jobs.forget(place.owner.zone, first.id)
  }
  expect(() => place.jobs.take(first.raw)).toThrow('It was here already')
  expect(JSON.parse(new TextDecoder().decode(place.store.get('jobs-seen')!)).seen).toHaveLength(
    1_024,
  )
})

test('tells what was begun and has no end to be interrupted, and does not repeat it', async () => {
  const job = place.signed('reboot')
  place.jobs.take(job.raw)
  place.restart()
  await place.world.pass(DAY_MS)
  place.jobs.take(job.raw)
  expect(place.started).toHaveLength(1)
  expect(place.report(job.id)).toMatchObject({
    is: 'interrupted',
    runs: [{ exitCode: null, why: 'The device, or its agent, was stopped in between.' }],
  })
  expect(place.noted().at(-1)).toBe('home: reboot interrupted')
})

const seeds = process.env.SEED
  ? [Number(process.env.SEED)]
  : Array.from({ length: 60 }, (_, i) => i)

test.for(seeds)(
  'killed before or after any write (SEED=%i), runs nothing twice and loses nothing',
  async seed => {
    const random = seededRandom(seed)
    const jobs = ['a', 'b', 'c'].map(line => place.signed(line))
    const attempt = async (work: () => void | Promise<void>) => {
      try {
        await work()
      } catch (error) {
        if (!(error instanceof BoxError)) throw error
      }
    }
    for (let life = 0; life < 6; life++) {
      place.writesLeft = random.below(7)
      place.crashesAfter = random.chance(0.5)
      // Whoever brought it, and got no answer, brings it again.
      for (const { raw } of jobs) await attempt(() => void place.jobs.take(raw))
      for (const { id } of jobs)
        if (place.started.some(one => one.id === id) && random.chance(0.7))
          await attempt(() => place.end(id).catch(() => {}))
      place.restart()
    }
    for (const { raw } of jobs) place.jobs.take(raw)
    for (const { id } of jobs) {
      if (!['ended', 'interrupted'].includes(place.report(id).is)) await place.end(id)
      const times = place.started.filter(one => one.id === id).length
      const { is, runs } = place.report(id)
      expect(times).toBeLessThanOrEqual(1)
      // Begun is written down first: between that and the command, a death leaves nothing that ran.
      if (times === 0) expect(is).toBe('interrupted')
      if (is === 'ended') expect(runs).toHaveLength(1)
    }
  },
)

test('of each person one runs after the other, in the order they were signed, whatever came first', async () => {
  const [one, two, three] = ['1', '2', '3'].map(line => place.signed(line))
  place.jobs.take(one!.raw)
  place.jobs.take(three!.raw)
  place.jobs.take(two!.raw)
  grantGuest(['exec'])
  place.jobs.take(place.signed('other', { by: guest }).raw)
  const lines = () => place.started.map(({ line }) => line)
  expect(lines()).toEqual(['1', 'other'])
  await place.end(one!.id)
  await place.end(two!.id)
  expect(lines()).toEqual(['1', 'other', '2', '3'])
})

describe('is refused', () => {
  test('another job under the number of one that is there', () => {
    const { number, raw } = place.signed('id')
    place.jobs.take(raw)
    expect(() => place.jobs.take(place.signed('rm', { number }).raw)).toThrow('has this number')
    expect(place.started).toHaveLength(1)
  })

  test('what is for another device, over, from tomorrow, for ever, or signed by a stranger', () => {
    const now = place.world.now()
    const refused = (job: { raw: Uint8Array }, why: string) =>
      expect(() => place.jobs.take(job.raw)).toThrow(why)
    refused(place.signed('id', { device: guest.zone }), 'for another device')
    refused(place.signed('id', { expiresAt: now }), 'Its time is over')
    refused(place.signed('id', { number: now + 25 * HOUR_MS }), 'from a later day')
    refused(place.signed('id', { expiresAt: now + 500 * DAY_MS }), 'longer than a device remembers')
    refused(place.signed('id', { by: guest }), 'may run no commands here')
    const { raw } = place.signed('id')
    for (const at of [0, 70, raw.length - 1]) {
      const changed = raw.slice()
      changed[at]! ^= 1
      expect(() => place.jobs.take(changed)).toThrow()
    }
    expect(place.started).toEqual([])
    expect(place.jobs.reports(place.owner.zone)).toEqual([])
  })

  test('what the grant does not name, and what it names no longer when its turn comes', async () => {
    grantGuest(['exec'], { scope: { ...WHOLE_SCOPE, commands: ['uptime', 'sleep 9'] } })
    expect(() => place.jobs.take(place.signed('id', { by: guest }).raw)).toThrow('does not reach')
    grantGuest(['exec'], { scope: { ...WHOLE_SCOPE, users: ['nobody'] } })
    expect(() => place.jobs.take(place.signed('id', { by: guest }).raw)).toThrow('does not reach')
    grantGuest(['exec'])
    const [first, second] = [1, 2].map(i => place.signed(`sleep ${i}`, { by: guest }))
    place.jobs.take(first!.raw)
    place.jobs.take(second!.raw)
    grantGuest([])
    await place.end(first!.id)
    expect(place.started.map(({ line }) => line)).toEqual(['sleep 1'])
    expect(place.report(second!.id)).toMatchObject({
      is: 'refused',
      why: 'Its signer may run no commands here.',
    })
  })

  test('a user whom the grant does not name, or who is not there when its turn comes', async () => {
    const identity = { uid: 1_000, gid: 1_000, groups: [] }
    const [ada, www] = ['ada', 'www'].map(name => ({ name, home: '/', shell: '/bin/sh', identity }))
    place.accounts.set('ada', ada!).set('www', www!)
    const asked = (user: string | undefined, line = 'id') => place.signed(line, { by: guest, user })
    grantGuest(['exec'], { scope: { ...WHOLE_SCOPE, users: ['ada', 'nosuch'] } })
    for (const [user, why] of [
      ['www', 'does not let you be this user'],
      ['nosuch', 'has no such user'],
      [undefined, 'does not reach'],
    ] as const)
      expect(() => place.jobs.take(asked(user).raw), user).toThrow(why)
    grantGuest(['exec'])
    // Without a word about users, it is for whoever the agent runs as.
    expect(() => place.jobs.take(asked('ada').raw)).toThrow('does not let you be this user')
    grantGuest(['exec'], { scope: { ...WHOLE_SCOPE, users: ['ada'] } })
    const [first, second] = [asked('ada', 'first'), asked('ada', 'second')]
    place.jobs.take(first.raw)
    place.jobs.take(second.raw)
    place.accounts.delete('ada')
    await place.end(first.id)
    expect(place.started.map(({ line, user }) => [line, user])).toEqual([['first', 'ada']])
    expect(place.report(second.id)).toMatchObject({ is: 'refused' })
    expect(place.noted()).toContain('ada: as ada: first exit 0')
    // An owner may be anybody who is there.
    const owned = place.signed('id', { user: 'www' })
    place.jobs.take(owned.raw)
    expect(place.started.at(-1)).toMatchObject({ line: 'id', user: 'www' })
  })

  test('a job whose turn comes after its time', async () => {
    const first = place.signed('sleep')
    const second = place.signed('late', { expiresAt: place.world.now() + HOUR_MS })
    place.jobs.take(first.raw)
    place.jobs.take(second.raw)
    await place.world.pass(2 * HOUR_MS)
    await place.end(first.id)
    expect(place.report(second.id)).toMatchObject({ is: 'expired', runs: [] })
    expect(place.started).toHaveLength(1)
  })

  test('more than a person may keep there, until something is over', async () => {
    const jobs = Array.from({ length: 33 }, (_, i) => place.signed(`echo ${i}`))
    for (const { raw } of jobs.slice(0, 32)) place.jobs.take(raw)
    expect(() => place.jobs.take(jobs[32]!.raw)).toThrow('as many jobs as it can')
    await place.end(jobs[0]!.id)
    place.jobs.take(jobs[32]!.raw)
    expect(place.jobs.reports(place.owner.zone)).toHaveLength(32)
    expect(place.report(jobs[0]!.id)).toBeUndefined()
    expect(() => place.jobs.take(jobs[0]!.raw)).toThrow('It was here already')
  })
})

describe('a cancellation', () => {
  test('ends what runs, and what waits', async () => {
    const [first, second] = ['a', 'b'].map(line => place.signed(line))
    for (const { raw } of [first!, second!]) place.jobs.take(raw)
    place.jobs.take(place.cancellation(second!))
    place.jobs.take(place.cancellation(first!))
    await place.world.pass(0)
    expect(place.started[0]!.signal.aborted).toBe(true)
    expect(place.report(first!.id)).toMatchObject({ is: 'cancelled', runs: [{ signal: 'TERM' }] })
    expect(place.report(second!.id)).toMatchObject({ is: 'cancelled', runs: [] })
    expect(place.started).toHaveLength(1)
  })

  test('may come before the job, which is not run then', () => {
    const job = place.signed('id')
    place.jobs.take(place.cancellation(job))
    place.restart()
    expect(() => place.jobs.take(job.raw)).toThrow('It was here already')
  })

  test('is for whoever signed the job, and who administrates the device', () => {
    const job = place.signed('id')
    place.jobs.take(job.raw)
    grantGuest(['exec', 'shell'])
    expect(() => place.jobs.take(place.cancellation(job, guest))).toThrow('does not grant')
    expect(place.jobs.reports(guest.zone)).toEqual([])
    expect(() => place.jobs.forget(guest.zone, job.id)).toThrow('does not grant')
    const own = place.signed('own', { by: guest })
    place.jobs.take(own.raw)
    place.jobs.take(place.cancellation(own, place.owner, guest))
    expect(place.jobs.reports(guest.zone)).toMatchObject([{ is: 'cancelled' }])
    expect(place.jobs.reports(place.owner.zone)).toHaveLength(2)
  })
})

describe('a schedule', () => {
  test('runs by the clock of the device, keeps the last results, and ends when it is cancelled', async () => {
    const job = place.signed('df', { every: '1h' })
    place.jobs.take(job.raw)
    expect(place.started).toHaveLength(0)
    for (let i = 1; i <= 6; i++) {
      await place.world.pass(HOUR_MS)
      expect(place.started).toHaveLength(i)
      await place.end(job.id, 0, `run ${i}`)
    }
    const { is, runs, nextAt } = place.report(job.id)
    expect(is).toBe('scheduled')
    expect(nextAt! - place.world.now()).toBeLessThanOrEqual(HOUR_MS)
    expect(runs.map(({ out }) => new TextDecoder().decode(out))).toEqual([
      'run 3',
      'run 4',
      'run 5',
      'run 6',
    ])
    place.jobs.take(place.cancellation(job))
    await place.world.pass(DAY_MS)
    expect(place.started).toHaveLength(6)
  })

  test('makes up for one missed run of an interval, and for none of a time of day', async () => {
    const interval = place.signed('interval', { every: '1h' })
    const daily = place.signed('daily', {
      every: 'daily 03:30',
      expiresAt: place.world.now() + 90 * DAY_MS,
    })
    place.jobs.take(interval.raw)
    place.jobs.take(daily.raw)
    place.jobs.close()
    // Off for days, back at a time that is nobody's.
    await place.world.pass(3 * DAY_MS + 7 * HOUR_MS)
    place.restart()
    await place.world.pass(60_000)
    expect(place.started.map(({ line }) => line)).toEqual(['interval'])
    await place.end(interval.id)
    await place.world.pass(DAY_MS)
    expect(place.started.filter(({ line }) => line === 'daily')).toHaveLength(1)
  })

  test('does not begin while it runs, goes on after an interruption, and ends with its time', async () => {
    const job = place.signed('slow', { every: '5m', expiresAt: place.world.now() + 2 * HOUR_MS })
    place.jobs.take(job.raw)
    await place.world.pass(HOUR_MS)
    expect(place.started).toHaveLength(1)
    place.restart()
    await place.world.pass(60_000)
    expect(place.started).toHaveLength(2)
    expect(place.report(job.id).runs[0]!.why).toBe(
      'The device, or its agent, was stopped in between.',
    )
    await place.end(job.id)
    await place.world.pass(3 * HOUR_MS)
    place.restart()
    await place.world.pass(HOUR_MS)
    expect(place.report(job.id)).toMatchObject({ is: 'expired', nextAt: null })
  })

  test('is one of at most sixteen', () => {
    for (let i = 0; i < 16; i++) place.jobs.take(place.signed(`${i}`, { every: '1h' }).raw)
    expect(() => place.jobs.take(place.signed('x', { every: '1h' }).raw)).toThrow('at most 16')
    place.jobs.take(place.signed('once').raw)
  })
})

test('a demand of a later version is not taken for one of this', () => {
  const later = {
    do: 'run',
    line: 'id',
    limitSeconds: 60,
    every: null,
    input: new Uint8Array(0),
    two: true,
  }
  const raw = signJob(place.owner, {
    ...{
      device: place.device.zone,
      number: place.world.now(),
      expiresAt: place.world.now() + DAY_MS,
    },
    demand: later as never,
  })
  expect(() => place.jobs.take(raw)).toThrow('This is no job')
})
