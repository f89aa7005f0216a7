/** Commands over SSH, with a device that does all of it at once. */

import { Duplex } from 'node:stream'
import ssh2 from 'ssh2'
import { describe, expect, test } from 'vitest'
import { login } from '../../controller/ssh-client.ts'
import { systemClock } from '../../src/sys/clock.ts'
import { hostKey, KEYS } from '../agent/ssh-fixture.ts'

/** Two ends; what is written at one in a turn of the loop arrives at the other as one piece. */
function pair(): [Duplex, Duplex] {
  const ends: Duplex[] = []
  const end = (other: () => Duplex) => {
    let waiting: Buffer[] = []
    return new Duplex({
      read() {},
      write(piece: Buffer, _encoding, done) {
        if (waiting.length === 0)
          setTimeout(() => {
            other().push(Buffer.concat(waiting))
            waiting = []
          }, 5)
        waiting.push(piece)
        done()
      },
      final(done) {
        setTimeout(() => other().push(null), 10)
        done()
      },
    })
  }
  ends.push(
    end(() => ends[1]!),
    end(() => ends[0]!),
  )
  return [ends[0]!, ends[1]!]
}

describe('a command over SSH', () => {
  test('has an end also where its beginning, its output and its end come in one piece', async () => {
    const [ours, theirs] = pair()
    const server = new ssh2.Server({ hostKeys: [hostKey.secret] }, connection => {
      connection.on('authentication', context => context.accept())
      connection.on('session', accept =>
        accept().on('exec', start => {
          const channel = start()
          channel.write('quick\n')
          channel.exit(7)
          channel.end()
        }),
      )
      connection.on('error', () => {})
    })
    server.injectSocket(theirs as never)
    const ssh = await login({
      stream: ours,
      user: 'ada',
      privateKey: KEYS.private,
      clock: systemClock,
      accepts: () => true,
    })
    for (let round = 0; round < 5; round += 1) {
      const command = await ssh.start({ line: 'echo quick', terminal: null })
      let said = ''
      command.output.on('data', piece => {
        said += piece
      })
      command.errors.resume()
      expect([await command.ended, said]).toEqual([7, 'quick\n'])
    }
    ssh.destroy()
  })
})
