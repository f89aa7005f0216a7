/** The command that is told: what it reads, that nothing goes through a shell, and that it cannot hold us. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { AlertEvent } from '../../../controller/alerts/alert-book.ts'
import { COMMAND_MS, tellCommand } from '../../../controller/alerts/alert-command.ts'
import type { Clock } from '../../../src/base/clock.ts'
import { systemClock } from '../../../src/sys/clock.ts'

const directory = mkdtempSync(join(tmpdir(), 'box-told-'))
afterAll(() => rmSync(directory, { recursive: true }))

const EVENT: AlertEvent = {
  ...{ id: 'A1', is: 'fires', device: 'kitchen', zone: '000G', origin: 'device' },
  record: {
    ...{ rule: 'disk', when: 'disk_used_ratio > 90 %', since: 1_800_000_000_000, until: null },
    // As an unkind device would say it.
    value: '$(touch /tmp/owned); `id`\n\u001b[31m\0',
  },
}
const tell = (words: readonly string[], clock: Clock = systemClock) =>
  tellCommand(words, EVENT, { clock, tries: 2 })

test('reads JSON and has the same in its environment, whatever the device says', async () => {
  const file = join(directory, 'heard')
  const script = 'cat >"$0"; printf "%s|%s" "$BOX_ALERT_DEVICE" "$BOX_ALERT_VALUE" >"$0.env"'
  expect(await tell(['/bin/sh', '-c', script, file])).toEqual({ is: 'done', why: '' })
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
    ...{ id: 'A1', event: 'fires', device: 'kitchen', zone: '000G', rule: 'disk' },
    ...{ origin: 'device', value: EVENT.record.value, when: EVENT.record.when },
    ...{ since: new Date(EVENT.record.since).toISOString(), until: null, attempt: 2 },
  })
  expect(readFileSync(`${file}.env`, 'utf8')).toBe('kitchen|$(touch /tmp/owned); `id`\n?[31m?')
})

test('says how it ended, in few words', async () => {
  expect(await tell(['/bin/sh', '-c', 'exit 75'])).toMatchObject({ is: 'later' })
  const failed = await tell(['/bin/sh', '-c', 'head -c 5000 /dev/zero | tr "\\0" x >&2; exit 3'])
  expect(failed.is).toBe('failed')
  expect(failed.why).toMatch(/^exit code 3 x+$/)
  expect(failed.why.length).toBeLessThan(600)
  expect(await tell(['/no/such/program'])).toMatchObject({ is: 'failed' })
  expect(await tell(['true; touch /tmp/owned'])).toMatchObject({ is: 'failed' })
})

test('is ended with all it started when its time is over', async () => {
  const soon: Clock = {
    ...systemClock,
    after: (ms, run) => systemClock.after(ms === COMMAND_MS ? 300 : ms, run),
  }
  const end = await tell(['/bin/sh', '-c', 'trap "" TERM; sleep 1000 & sleep 1000'], soon)
  expect(end).toEqual({ is: 'failed', why: 'it took more than 30 s' })
})
