import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { rollOut, type Verdict } from '../../../controller/push/rollout.ts'

const LETTERS: Readonly<Record<string, Verdict>> = { s: 'success', f: 'failure', o: 'skipped' }

/** Devices as letters: s succeeds, f fails, o is off. In what order they were tried, with `|` between batches. */
async function tried(
  devices: string,
  options: { canary?: number; batch?: number; failuresMax?: number } = {},
) {
  const log: string[] = []
  const { results, untried } = await rollOut(
    [...devices],
    { canary: 1, batch: 3, failuresMax: 0, ...options },
    async (device, phase) => {
      log.push(phase === 'canary' ? device.toUpperCase() : device)
      return LETTERS[device]!
    },
    verdict => verdict,
  )
  expect(results).toHaveLength(log.length)
  return `${log.join('')} ${untried.join('')}`.trim()
}

describe('a roll-out', () => {
  test('tries one first, then the others', async () => {
    expect(await tried('ssssss')).toBe('Ssssss')
  })

  test('stops with a canary that fails, whatever else is allowed', async () => {
    expect(await tried('fsss', { failuresMax: 9 })).toBe('F sss')
  })

  test('takes the next canary where one is off', async () => {
    expect(await tried('ooss')).toBe('OOSs')
    expect(await tried('osfss', { canary: 2 })).toBe('OSF ss')
  })

  test('stops after the batch in which too many failed', async () => {
    expect(await tried('s' + 'sfs' + 'sss')).toBe('Ssfs sss')
    expect(await tried('s' + 'sfs' + 'sfs' + 'sss', { failuresMax: 1 })).toBe('Ssfssfs sss')
    expect(await tried('s' + 'sfs' + 'sss', { failuresMax: 1 })).toBe('Ssfssss')
  })

  test('does not count those that are off', async () => {
    expect(await tried('sooooooos')).toBe('Sooooooos')
  })

  test('never touches more than a batch after the threshold, and forgets nobody', async () => {
    const verdicts = fc.array(fc.constantFrom('s', 'f', 'o'), { maxLength: 60 })
    const options = fc.record({
      ...{ canary: fc.nat(3), batch: fc.integer({ min: 1, max: 9 }), failuresMax: fc.nat(5) },
    })
    await fc.assert(
      fc.asyncProperty(verdicts, options, async (devices, options) => {
        let failures = 0
        let tooMany = 0
        const { results, untried } = await rollOut(
          devices,
          options,
          async device => {
            if (failures > options.failuresMax) tooMany++
            if (device === 'f') failures++
            return LETTERS[device]!
          },
          verdict => verdict,
        )
        expect(results.length + untried.length).toBe(devices.length)
        expect(tooMany).toBeLessThan(Math.max(options.batch, options.canary))
        if (failures <= options.failuresMax && failures === 0) expect(untried).toEqual([])
      }),
    )
  })
})
