/** Commands for somebody who may go away in between, over connections that others go on to use. */

import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import type { Context } from '../../controller/context.ts'
import type { Device } from '../../controller/fleet.ts'
import { type LentShell, runCommand } from '../../controller/remote-command.ts'
import { BoxError } from '../../src/base/errors.ts'
import { World } from '../sim/world.ts'

const device = { name: 'kitchen' } as Device

/** A connection whose commands run on; what was begun over it, and how it was given back. */
function shell() {
  const seen = { begun: [] as string[], givenBack: [] as boolean[] }
  const command = async (line: string) => {
    seen.begun.push(line)
    return {
      ...{ output: new PassThrough(), errors: new PassThrough(), close: () => {} },
      ended: new Promise<number>(() => {}),
    }
  }
  const giveBack = (isWhole: boolean) => void seen.givenBack.push(isWhole)
  return { seen, lent: { ssh: { command }, greetings: [], giveBack } as unknown as LentShell }
}

const job = { line: 'reboot', input: new Uint8Array(0), timeoutMs: 1_000, limitS: 5 }

test('nothing is begun for whoever has gone while the device was reached', async () => {
  const world = new World(1)
  const gone = new AbortController()
  const { seen, lent } = shell()
  const context = { clock: world, signal: gone.signal } as unknown as Context
  let reached = (_: LentShell) => {}
  const lend = () => new Promise<LentShell>(resolve => (reached = resolve))
  const failed = runCommand(context, device, job, () => {}, lend).catch((error: unknown) => error)
  const reason = new BoxError('CHANNEL_CLOSED')
  gone.abort(reason)
  reached(lent)
  await world.pass(0)
  expect(seen).toEqual({ begun: [], givenBack: [true] })
  expect(await world.until(failed, 1_000)).toBe(reason)
})

test('one that is ended after its time says so', async () => {
  const world = new World(1)
  const { seen, lent } = shell()
  const context = { clock: world, signal: new AbortController().signal } as unknown as Context
  const run = runCommand(
    context,
    device,
    job,
    () => {},
    async () => lent,
  )
  expect(await world.until(run, 6_000)).toMatchObject({
    ...{ exit_code: null, begun: true },
    error: { code: 'PEER_TIMEOUT', message: expect.stringContaining('ended after 5 s') },
  })
  expect(seen).toEqual({ begun: ['reboot'], givenBack: [false] })
})
