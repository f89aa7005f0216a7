/** Commands that a `box` has a `box up` run on a real agent, over a real socket, beside those over its own connections. */

import { existsSync, readFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { exec } from '../../../controller/commands/exec.ts'
import { runThere } from '../../../controller/errands/errand.ts'
import { WAITING_WORDS } from '../../../src/box/approval.ts'
import { ZoneSecret } from '../../../src/crypto/zone-key.ts'
import { zoneToText } from '../../../src/gns/name.ts'
import { systemRandom as random } from '../../../src/sys/random.ts'
import { BusyHouse, JOB, Person } from './person.ts'

const WAIT = { timeout: 20_000, interval: 20 }

const house = new BusyHouse()
let person: Person

describe('an errand', () => {
  beforeAll(() => house.start())
  afterAll(() => house.stop())
  beforeEach(() => {
    person = new Person(house, house.desk.path)
  })
  afterEach(async () => {
    await person.context.close()
  })

  test('brings bytes there and back unchanged, streams apart, and the exit code', async () => {
    const input = random.bytes(1_000_000)
    const done = await person.run({ line: 'tee /dev/stderr; exit 3', input })
    expect(done).toMatchObject({ exit_code: 3, error: null, begun: true })
    expect(Buffer.compare(done.out, input)).toBe(0)
    expect(Buffer.compare(done.err, input)).toBe(0)
    expect(person.own).toBe(0)
  })

  test('loses nothing where whoever listens takes its time, and reads its input to the end', async () => {
    let last = Promise.resolve()
    const slowly = () => {
      last = last.then(() => new Promise(resolve => setImmediate(resolve)))
      return last
    }
    const input = random.bytes(3_000_000)
    const done = await person.run({ line: 'tee /dev/stderr | cat', input }, slowly)
    expect(done.exit_code).toBe(0)
    expect(Buffer.compare(done.out, input)).toBe(0)
    expect(Buffer.compare(done.err, input)).toBe(0)
  })

  test('holds the device back where nobody reads', { timeout: 60_000 }, async () => {
    const progress = house.socketAt('progress')
    const line = `i=0; while [ $i -lt 60 ]; do head -c 1000000 /dev/zero; i=$((i+1)); echo $i > ${progress}; done`
    let go = () => {}
    const held = new Promise<void>(resolve => {
      go = resolve
    })
    const running = person.run({ line }, () => held)
    const wrote = () => (existsSync(progress) ? Number(readFileSync(progress, 'utf8')) : 0)
    let before = -1
    await expect
      .poll(
        () => {
          const isStill = wrote() === before && before > 0
          before = wrote()
          return isStill
        },
        { ...WAIT, interval: 500 },
      )
      .toBe(true)
    expect(wrote()).toBeLessThan(30)
    go()
    expect((await running).out.length).toBe(60_000_000)
  })

  test('ends at once where whoever asked goes away, also while its input is not read', async () => {
    for (const input of [new Uint8Array(0), new Uint8Array(8_000_000)]) {
      const gone = new Person(house, house.desk.path)
      const marker = house.socketAt(`pid${input.length}`)
      const running = gone.run({ line: `echo $$ > ${marker}; exec sleep 600`, input })
      running.catch(() => {})
      const pid = () => (existsSync(marker) ? readFileSync(marker, 'utf8').trim() : '')
      await expect.poll(pid, WAIT).not.toBe('')
      gone.end.abort(new Error('^C'))
      await expect(running).rejects.toThrow('^C')
      await expect.poll(() => existsSync(`/proc/${pid()}`), WAIT).toBe(false)
      await gone.context.close()
    }
  })

  test('is cut off after its limit, over a connection that others still use', async () => {
    const other = person.run({ line: 'sleep 1; echo on' })
    const late = await person.run({ line: 'exec sleep 600', limitS: 0.3 })
    expect(late).toMatchObject({
      ...{ exit_code: null, begun: true },
      error: { code: 'PEER_TIMEOUT', message: expect.stringContaining('after 0.3 s') },
    })
    expect(Buffer.from((await other).out).toString()).toBe('on\n')
  })

  test('that wants another person waits, says so, and is taken back', async () => {
    const ada = zoneToText(ZoneSecret.generate('EDKEY', random).zone)
    const somebody = { person: ada, as: 'ada', rights: ['exec', 'admin'] }
    await house.ask('POST', '/v1/devices/kitchen/grants', somebody)
    const marker = house.socketAt('approved')
    let err = ''
    const [device] = person.context.fleet.devices()
    const running = runThere(
      person.context,
      device!,
      { ...JOB, line: `touch ${marker}`, approved: true },
      (from, piece) => {
        if (from === 'err') err += Buffer.from(piece)
      },
    )
    running.catch(() => {})
    await expect.poll(() => err, WAIT).toContain(WAITING_WORDS)
    const waiting = async () =>
      (await house.ask('GET', '/v1/devices/kitchen/approvals')).json().approvals.length
    expect(await waiting()).toBe(1)
    person.end.abort(new Error('^C'))
    await expect(running).rejects.toThrow('^C')
    await expect.poll(waiting, WAIT).toBe(0)
    expect(existsSync(marker)).toBe(false)
  })

  test('is for nobody who is none of the devices of the box up: then it is done without', async () => {
    const { zone } = ZoneSecret.generate('EDKEY', random)
    const elsewhere = { name: 'attic', zone, tags: [], pairedAt: 0, last: null }
    const job = { ...JOB, timeoutMs: 200 }
    const end = await runThere(person.context, elsewhere, job, () => {})
    expect(end).toMatchObject({ exit_code: null, begun: false })
    expect(person.own).toBe(1)
  })

  const lines: [string, object][] = [
    ['a command that ends as it likes', { '--': ['echo out; echo err >&2; exit 7'] }],
    ['bytes that are no text', { '--': ["printf 'a\\377\\0b\\n'"] }],
    ['a user that there is', { '--': ['id', '-un'], selector: 'ROOT@kitchen' }],
    ['a user that there is not', { '--': ['id'], selector: 'nosuchuser@kitchen' }],
    ['a command that takes too long', { '--': ['echo begun; exec sleep 600'], limit: 1 }],
    ['a device that is away', { '--': ['true'], selector: 'attic', timeout: 0.5 }],
    ['a signal', { '--': ['kill -TERM $$'] }],
    ['a line that no message holds', { '--': ['true', 'x'.repeat(30_000), 'y'.repeat(30_001)] }],
  ]
  test.for(lines)('%s: box exec says the same of it', { timeout: 60_000 }, async ([, args]) => {
    const { zone } = ZoneSecret.generate('EDKEY', random)
    if (house.context.fleet.devices().length < 2)
      await house.context.fleet.add({ name: 'attic', zone, tags: [], pairedAt: 0, last: null })
    const usual = {
      ...{ selector: 'kitchen', all: false, parallel: 32, timeout: 20, limit: undefined },
      ...{ stdin: false, script: undefined, queue: false, expires: undefined, every: undefined },
      ...{ two: false, state: undefined, ...args },
    }
    const selector = usual.selector.replace('ROOT', userInfo().username)
    for (const json of [true, false]) {
      const said = []
      for (const at of [house.desk.path, null]) {
        const one = new Person(house, at, { json })
        const code = await exec.run(one.context, { ...usual, selector, json } as never)
        said.push({
          code,
          out: one.said.out.replace(/"ms":\d+/g, '"ms":0'),
          err: one.said.err.replace(/after \d+ ms/g, 'after 0 ms'),
        })
        await one.context.close()
      }
      expect(said[0]).toEqual(said[1])
    }
  })
})
