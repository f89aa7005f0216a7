/** Sockets that another process makes: what becomes of them where that cannot be started, has ended, or does not answer. */

import { EventEmitter } from 'node:events'
import { beforeEach, expect, test, vi } from 'vitest'
import { SeatedSockets } from '../../agent/seat/seated-sockets.ts'
import type { SocketOrder } from '../../agent/seat/socket-words.ts'

/** A seat that hears, and says what the test wants. */
class Seat extends EventEmitter {
  connected = true
  readonly heard: SocketOrder[] = []
  send? = (order: SocketOrder) => this.heard.push(order) > 0
  disconnect() {}
}

const seats: Seat[] = []
let next: () => Seat

vi.mock('../../agent/seat/seat.ts', () => ({
  startSeat: () => {
    const seat = next()
    seats.push(seat)
    return seat
  },
}))

const IDENTITY = { uid: 65_534, gid: 65_534, groups: [] }
const PORT = { host: '127.0.0.1', port: 0 }
const never = new AbortController().signal
const aborted = expect.objectContaining({ code: 'ECONNABORTED' })

beforeEach(() => {
  seats.length = 0
  next = () => new Seat()
})

test('fail where the process cannot be started', async () => {
  const sockets = new SeatedSockets(IDENTITY)
  next = () => {
    const seat = new Seat()
    // As Node leaves it where no descriptor is left.
    delete seat.send
    process.nextTick(() => seat.emit('error', new Error('EMFILE')))
    return seat
  }
  await expect(sockets.connect(PORT, never)).rejects.toEqual(aborted)
  next = () => {
    throw new Error('ENOMEM')
  }
  await expect(sockets.listen(PORT, () => {})).rejects.toEqual(aborted)
  next = () => new Seat()
  void sockets.connect(PORT, never).catch(() => {})
  expect(seats.at(-1)!.heard).toHaveLength(1)
})

test('are ended where the process has ended, without another one', async () => {
  const sockets = new SeatedSockets(IDENTITY)
  const listening = sockets.listen(PORT, () => {})
  seats[0]!.emit('message', { number: 1, is: 'listening', port: 7 })
  const listener = await listening
  seats[0]!.emit('exit', null, 'SIGKILL')
  listener.close()
  sockets.close()
  expect(seats).toHaveLength(1)
})

test('are not waited for longer than whoever wants them waits', async () => {
  const sockets = new SeatedSockets(IDENTITY)
  const over = new AbortController()
  const connecting = sockets.connect(PORT, over.signal)
  over.abort()
  await expect(connecting).rejects.toEqual(expect.objectContaining({ code: 'ETIMEDOUT' }))
  expect(seats[0]!.heard.map(order => order.do)).toEqual(['connect', 'end'])
})
