/** What the journal has of a command whose client goes while it prints: how it ended, whoever was there to hear. */

import type { Duplex } from 'node:stream'
import type { Client, ClientChannel } from 'ssh2'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { SshServer } from '../../agent/ssh-server.ts'
import { askShortly } from '../../src/box/short-command.ts'
import { CALLER, connectOver, newServer, streamPair } from './ssh-fixture.ts'

const ENDLESS = 'yes'

describe('a command without an end is journalled to its end', () => {
  let server: SshServer
  let client: Client
  let carrier: Duplex
  let results: string[]

  beforeEach(async () => {
    results = []
    server = newServer()
    const [near, far] = streamPair()
    carrier = near
    const note = (what: string, _detail: string, result: string) => {
      if (what === 'exec') results.push(result)
    }
    void server.serve(far, { ...CALLER, note })
    client = await connectOver(near, { strictVendor: false })
  })

  afterEach(async () => {
    client.destroy()
    await server.close()
  })

  const shortly = () =>
    new Promise<ClientChannel>((resolve, reject) => {
      const asked = askShortly({ line: ENDLESS, input: new Uint8Array(0) })!
      client.openssh_forwardOutStreamLocal(asked, (error, channel) =>
        error ? reject(error) : resolve(channel),
      )
    })
  const exec = (pty: boolean) =>
    new Promise<ClientChannel>((resolve, reject) =>
      client.exec(ENDLESS, { pty }, (error, channel) => (error ? reject(error) : resolve(channel))),
    )

  const begins = {
    'asked for in one go': shortly,
    'on pipes': () => exec(false),
    'on a terminal': () => exec(true),
  }
  const leaves = {
    'closes it': (channel: ClientChannel) => channel.close(),
    'loses the connection': () => carrier.destroy(),
  }

  for (const [how, begin] of Object.entries(begins))
    for (const [way, leave] of Object.entries(leaves))
      for (const isRead of [false, true])
        it(`${how}, by who ${way} and ${isRead ? 'reads' : 'does not read'}`, async () => {
          client.on('error', () => {})
          const channel = await begin()
          channel.on('error', () => {})
          if (isRead) channel.resume()
          await expect.poll(() => results).toEqual(['begun'])
          leave(channel)
          await expect.poll(() => results.length, { timeout: 5_000 }).toBe(2)
          expect(results[1]).toMatch(/^(signal (HUP|PIPE)|exit 1|cut off)$/)
        })
})
