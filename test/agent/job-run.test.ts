/** Real commands: their input, their output within bounds, their end and their limit. */

import { expect, test } from 'vitest'
import { ownAccount } from '../../agent/environment.ts'
import { JOB_OUTPUT_MAX, OutputEnds, runJobs } from '../../agent/job-run.ts'
import { systemClock as clock } from '../../src/sys/clock.ts'
import { seededRandom } from '../sim/random.ts'
import { utf8 } from '../vectors.ts'

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const run = (line: string, more: { limitMs?: number; signal?: AbortSignal } = {}) =>
  runJobs(
    () => ownAccount('/bin/sh'),
    clock,
  )({
    ...{
      id: '7Q3X',
      line,
      user: null,
      input: utf8('given'),
      limitMs: 60_000,
      recording: null,
      deviceName: 'hut',
    },
    ...{ signal: new AbortController().signal, ...more },
  })

test('runs a command with its input, and keeps both of its outputs apart', async () => {
  const { exit, isLate, out, err } = await run(
    'cat; echo $BOX_DEVICE $BOX_JOB; echo no >&2; exit 4',
  )
  expect({ exit, isLate }).toEqual({ exit: { code: 4 }, isLate: false })
  expect([text(out.bytes), text(err.bytes)]).toEqual(['givenhut 7Q3X\n', 'no\n'])
})

test('keeps the beginning and the end of what is much', async () => {
  const { out } = await run('seq 1 100000')
  const whole = Array.from({ length: 100_000 }, (_, i) => `${i + 1}\n`).join('')
  expect(out.bytes).toHaveLength(JOB_OUTPUT_MAX)
  expect(out.dropped).toBe(whole.length - JOB_OUTPUT_MAX)
  const half = JOB_OUTPUT_MAX / 2
  expect(text(out.bytes)).toBe(whole.slice(0, half) + whole.slice(-half))
})

test('ends what runs too long, or is cancelled, with all that it has started', async () => {
  expect(await run('sleep 600', { limitMs: 100 })).toMatchObject({
    ...{ exit: { signal: 'TERM' }, isLate: true },
  })
  const end = new AbortController()
  const running = run('sleep 600 | cat', { signal: end.signal })
  end.abort()
  expect(await running).toMatchObject({ exit: { signal: 'TERM' }, isLate: false })
})

test('does not wait for what a command leaves running behind it', async () => {
  const { exit, out } = await run('sleep 30 & echo begun')
  expect(exit).toEqual({ code: 0 })
  expect(text(out.bytes)).toBe('begun\n')
})

test.for(Array.from({ length: 20 }, (_, i) => i))(
  'output in any pieces is kept alike (SEED=%i)',
  seed => {
    const random = seededRandom(seed)
    const whole = random.bytes(random.below(5_000))
    const ends = new OutputEnds(1_000)
    for (let at = 0; at < whole.length; ) {
      const size = 1 + random.below(random.chance(0.2) ? 3_000 : 20)
      ends.take(whole.subarray(at, at + size))
      at += size
    }
    const { bytes, dropped } = ends.kept()
    const isShort = whole.length <= 1_000
    const expected = isShort
      ? whole
      : new Uint8Array([...whole.slice(0, 500), ...whole.slice(-500)])
    expect(bytes).toEqual(expected)
    expect(dropped).toBe(whole.length - bytes.length)
  },
)
