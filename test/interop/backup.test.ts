/** A person whose machine is lost, and who has a backup: on another machine `box ssh` works at once. */

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { Agent, Controller } from './fleet.ts'
import { cleanUp, folder, succeed } from './program.ts'

const PASSPHRASE = 'nobody guesses this one\n'

afterAll(cleanUp)

test('after a restore on an empty machine the devices are reached at once', async () => {
  const hub = new Agent('hub', ['--hub', '--listen', '127.0.0.1:0'])
  const { hello } = await hub.status(({ hello }) => hello.includes('tcp'))
  const device = new Agent('device', ['--hub-url', hello])
  await device.linked()
  const lost = new Controller('lost')
  await lost.must('init', '--ego', 'home')
  await lost.must('pair', await device.pairingCode(), '--as', 'kitchen', '--json')
  const id = await lost.must('id')
  const file = join(folder('backup'), 'keys.backup')
  await succeed(lost.command('backup', file), { input: PASSPHRASE })
  rmSync(lost.state, { recursive: true })

  const found = new Controller('found')
  await succeed(found.command('restore', file), { input: PASSPHRASE })
  expect(await found.must('id')).toBe(id)
  expect(await found.must('ssh', 'kitchen', '--', 'echo $BOX_DEVICE')).toBe('kitchen\n')
  // The device still knows one owner, and the same.
  const { owners } = await device.status()
  expect(owners).toMatchObject([{ calls_it: 'kitchen', zone: id.trim() }])
})
