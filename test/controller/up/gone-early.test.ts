/** Clients of `/v1/exec` that go away while their device is being reached. */

import { PassThrough } from 'node:stream'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Context } from '../../../controller/context.ts'
import type { LentShell } from '../../../controller/remote-command.ts'
import type { WarmShells } from '../../../controller/up/warm-shells.ts'
import { House } from './house.ts'

const house = new House()
let url = ''
let take: WarmShells['take']

beforeAll(async () => {
  await house.start()
  url = await house.app.listen({ host: '127.0.0.1', port: 0 })
})
afterAll(() => house.stop())
beforeEach(() => {
  take = house.shells.take
})
afterEach(() => {
  Object.assign(house.shells, { take })
})

/** Asks for a command, and goes when `lend` says so; the shell that is lent is what `lend` makes of the real one. */
async function ask(lend: (lent: LentShell, gone: () => Promise<void>) => Promise<LentShell>) {
  const end = new AbortController()
  const instead: WarmShells['take'] = async (context, device, options) =>
    lend(await take(context, device, options), () => left(context))
  const left = (context: Context) =>
    new Promise<void>(resolve => {
      context.signal.addEventListener('abort', () => resolve(), { once: true })
      end.abort()
    })
  Object.assign(house.shells, { take: instead })
  const answer = await fetch(`${url}/v1/exec`, {
    ...{ method: 'POST', signal: end.signal },
    headers: { authorization: `Bearer ${house.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ selector: 'kitchen', command: 'yes' }),
  })
  await answer.text().catch(() => {})
}

test('have nothing begun, and the connection stays for the next', async () => {
  const begun: string[] = []
  const givenBack = await new Promise<boolean>(resolve => {
    void ask(async (lent, gone) => {
      await gone()
      const { ssh } = lent
      const command = (line: string, input: Uint8Array) => {
        begun.push(line)
        return ssh.command(line, input)
      }
      const giveBack = (isWhole: boolean) => {
        lent.giveBack(isWhole)
        resolve(isWhole)
      }
      return { ...lent, ssh: { command } as unknown as LentShell['ssh'], giveBack }
    }).catch(() => {})
  })
  expect(begun).toEqual([])
  expect(givenBack).toBe(true)
  expect(house.home.agent.status().ssh_connections).toBe(1)
})

test('hold up no program that prints on when they have gone', async () => {
  const output = new PassThrough()
  let gone = async () => {}
  const begun = new Promise<void>(resolve => {
    void ask(async (lent, leave) => {
      gone = leave
      const command = async () => {
        resolve()
        const ended = new Promise<number>(() => {})
        return { output, errors: new PassThrough(), ended, close: () => {} }
      }
      return { ...lent, ssh: { command } as unknown as LentShell['ssh'] }
    }).catch(() => {})
  })
  await begun
  await gone()
  const isOver = new Promise<void>(resolve => output.once('end', resolve))
  for (let i = 0; i < 3; i++) output.write('y\n')
  output.end()
  await isOver
})
