/** A `box up` that is lost, or is none, and connections of it that were lost unseen. */

import { existsSync, readFileSync, rmSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  answerMessage,
  ErrandReader,
  errandMessage,
  inputMessage,
} from '../../../controller/errands/words.ts'
import { WarmShells } from '../../../controller/up/warm-shells.ts'
import type { Stream, StreamEvents } from '../../../src/base/stream.ts'
import { systemClock as clock } from '../../../src/sys/clock.ts'
import { dialUnix, listenUnix, type UnixListener } from '../../../src/sys/unix-socket.ts'
import { utf8 } from '../../vectors.ts'
import { BusyHouse, Person } from './person.ts'

const WAIT = { timeout: 20_000, interval: 20 }

const onEnd: (() => void)[] = []

describe('a box up that is lost', () => {
  const house = new BusyHouse()
  /** A `box up` that is none: it says what it is told to say. */
  const actor = async (
    name: string,
    act: (stream: Stream) => StreamEvents,
  ): Promise<UnixListener> => {
    const listener = await listenUnix(house.socketAt(name), act)
    onEnd.push(() => listener.close())
    return listener
  }
  beforeAll(() => house.start())
  afterAll(() => house.stop())
  beforeEach(() => {
    for (const end of onEnd.splice(0)) end()
  })

  const quiet = { opened: () => {}, drained: () => {}, closed: () => {} }
  const heard = answerMessage({ say: 'heard' })
  const ready = answerMessage({ say: 'ready' })
  const refused = answerMessage({ say: 'refused', why: 'It is of another version.' })
  const acts: [string, (stream: Stream) => StreamEvents][] = [
    [
      'ends at once',
      stream => {
        stream.close()
        return { ...quiet, received: () => {} }
      },
    ],
    [
      'has heard, and ends',
      stream => {
        stream.write(heard)
        stream.close()
        return { ...quiet, received: () => {} }
      },
    ],
    [
      'refuses',
      stream => ({
        ...quiet,
        received: () => {
          stream.write(refused)
          stream.close()
        },
      }),
    ],
    ['says nothing', () => ({ ...quiet, received: () => {} })],
    [
      'speaks another language',
      stream => ({ ...quiet, received: () => void stream.write(utf8('HTTP/1.1 400\r\n')) }),
    ],
    [
      'prints before anything has begun',
      stream => ({
        ...quiet,
        received: () => void stream.write(Buffer.from('0005bdf362', 'hex')),
      }),
    ],
  ]
  test.for(acts)('before anything was begun (%s): it is done without, once', async ([, act]) => {
    const { path } = await actor('acts.sock', act)
    const one = new Person(house, path)
    const marker = house.socketAt('once')
    const done = await one.run({ line: `echo ran >> ${marker}; cat ${marker}` })
    expect(done).toMatchObject({ exit_code: 0, begun: true, error: null })
    expect(Buffer.from(done.out).toString()).toBe('ran\n')
    expect(one.own).toBe(1)
    rmSync(marker)
    await one.context.close()
  })

  test('is none at all where its socket was left behind, or never was', async () => {
    for (const at of [house.socketAt('nothing.sock'), null]) {
      const one = new Person(house, at)
      expect(await one.run({ line: 'exit 4' })).toMatchObject({ exit_code: 4, error: null })
      await one.context.close()
    }
  })

  test('once a command may have begun: its failure is told, and nothing is done twice', async () => {
    const { path } = await actor('begun.sock', stream => {
      stream.write(heard)
      stream.write(ready)
      const reader = new ErrandReader()
      return {
        ...quiet,
        received: chunk => {
          if (reader.push(chunk).some(said => 'input' in said)) stream.close()
        },
      }
    })
    const one = new Person(house, path)
    const marker = house.socketAt('twice')
    const done = await one.run({ line: `touch ${marker}` })
    expect(done).toMatchObject({ exit_code: null, begun: true, error: { code: 'CHANNEL_LOST' } })
    expect([one.own, existsSync(marker)]).toEqual([0, false])
    await one.context.close()
  })

  test('in the middle ends the command, and whoever asked hears that it is lost', async () => {
    const one = new Person(house, house.desk.path)
    const marker = house.socketAt('middle')
    const running = one.run({ line: `echo $$ > ${marker}; exec sleep 600` })
    const pid = () => (existsSync(marker) ? readFileSync(marker, 'utf8').trim() : '')
    await expect.poll(pid, WAIT).not.toBe('')
    for (const stream of house.taken) stream.close()
    expect(await running).toMatchObject({ begun: true, error: { code: 'CHANNEL_LOST' } })
    await expect.poll(() => existsSync(`/proc/${pid()}`), WAIT).toBe(false)
    expect(one.own).toBe(0)
    await one.context.close()
  })

  test('does not take nonsense, nor more input than it has asked for', async () => {
    const errand = errandMessage({
      ...{ zone: house.home.agent.device.zone, line: 'cat', user: null, timeoutMs: 9_000 },
      ...{ limitS: null, approved: false },
    })
    const last = inputMessage(utf8(''), { isLast: true })
    for (const said of [
      [Buffer.from('0003bdf0', 'hex')],
      [last],
      [errand, last],
      [errand, errand],
    ]) {
      const answers = await new Promise<string>(resolve => {
        let text = ''
        const stream = dialUnix(house.desk.path, {
          ...{ opened: () => {}, drained: () => {}, closed: () => resolve(text) },
          received: chunk => {
            text += new TextDecoder().decode(chunk)
          },
        })
        for (const one of said) stream.write(one)
      })
      expect(answers).toContain('refused')
    }
    await expect.poll(() => house.taken.size, WAIT).toBe(0)
  })
})

describe('a connection that is kept', () => {
  const house = new BusyHouse()
  beforeAll(() => house.start({ record: 'all' }))
  afterAll(() => house.stop())

  test('greets everybody who runs something over it', async () => {
    for (let round = 0; round < 2; round += 1) {
      const one = new Person(house, house.desk.path, { json: false })
      expect(await one.run({ line: 'true' })).toMatchObject({ exit_code: 0 })
      expect(one.said.err).toMatch(/^kitchen: This device records what you do/)
      await one.context.close()
    }
    const logins = house.home.audit.entries().filter(one => JSON.stringify(one).includes('login'))
    expect(logins).toHaveLength(1)
  })

  test('and was lost unseen is not begun anything over', { timeout: 60_000 }, async () => {
    let now = 0
    let slower = 10
    const shells = new WarmShells({
      clock: { ...clock, elapsed: () => now, after: (ms, run) => clock.after(slower * ms, run) },
    })
    const [device] = house.context.fleet.devices()
    const options = { timeoutMs: 20_000, user: null }
    const first = await shells.take(house.context, device!, options)
    first.giveBack(true)
    const again = await shells.take(house.context, device!, options)
    expect(again.ssh).toBe(first.ssh)
    again.giveBack(true)
    now += 10_000
    const asked = await shells.take(house.context, device!, options)
    expect(asked.ssh).toBe(first.ssh)
    asked.giveBack(true)
    now += 10_000
    slower = 0.1
    // From now on its channel swallows all that is said; another one does not.
    const lost = new Set([...house.home.deviceMesh.channels])
    const { net } = house.home
    const { tamper } = net
    let silent = 0
    net.tamper = (message, from, to) => {
      if ([...house.home.deviceMesh.channels].every(one => lost.has(one))) {
        silent += 1
        return null
      }
      return tamper(message, from, to)
    }
    const other = await shells.take(house.context, device!, options)
    net.tamper = tamper
    expect(silent).toBeGreaterThan(0)
    expect(other.ssh).not.toBe(first.ssh)
    other.giveBack(true)
    shells.close()
  })
})
