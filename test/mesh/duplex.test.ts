/** Streams over channels: every byte arrives, the end is an end, and what breaks is seen to be broken. */

import type { Duplex } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BoxError } from '../../src/base/errors.ts'
import { peerId } from '../../src/base/ids.ts'
import { loopbackPair } from '../../src/mesh/cadet/loopback.ts'
import { asDuplex, StreamData, StreamEnd, StreamEndAck } from '../../src/mesh/duplex.ts'
import type { Channel, ChannelEvents } from '../../src/mesh/mesh.ts'
import { World } from '../sim/world.ts'

const SELF = peerId(new Uint8Array(32))

/** A channel that counts what it carries, and ends on command. */
function tapped(channel: Channel, seen: Uint8Array[]): Channel {
  return {
    peer: channel.peer,
    path: () => channel.path(),
    attach: events => channel.attach(events),
    send: message => {
      seen.push(message)
      return channel.send(message)
    },
    pause: () => channel.pause(),
    resume: () => channel.resume(),
    close: () => channel.close(),
  }
}

interface End {
  readonly stream: Duplex
  readonly sent: Uint8Array[]
  readonly got: Buffer[]
  readonly happened: string[]
  error: Error | null
}

function pair(world = new World(1)) {
  const ends = loopbackPair(world, SELF)
  const open = (channel: Channel): End => {
    const sent: Uint8Array[] = []
    const stream = asDuplex(tapped(channel, sent), world)
    const end: End = { stream, sent, got: [], happened: [], error: null }
    for (const event of ['end', 'finish', 'close']) stream.on(event, () => end.happened.push(event))
    stream.on('error', error => {
      end.error = error
    })
    return end
  }
  const [near, far] = [open(ends[0]), open(ends[1])]
  return { world, near, far, channels: ends }
}

const reads = (end: End) => end.stream.on('data', (chunk: Buffer) => end.got.push(chunk))
const text = (end: End) => Buffer.concat(end.got).toString()
const typesOf = (end: End) => end.sent.map(raw => (raw[2]! << 8) | raw[3]!)

describe('a stream over a channel', () => {
  test('carries bytes both ways and ends on both sides, with the channel closed at last', async () => {
    const { world, near, far, channels } = pair()
    reads(near)
    reads(far)
    near.stream.end('question')
    far.stream.on('end', () => far.stream.end('answer'))
    await world.pass(100)
    expect([text(near), text(far)]).toEqual(['answer', 'question'])
    expect(near.happened.toSorted()).toEqual(['close', 'end', 'finish'])
    expect(far.happened.toSorted()).toEqual(['close', 'end', 'finish'])
    expect(channels.map(channel => channel.path())).toEqual([null, null])
    expect(world.pending).toBe(0)
  })

  test('may go on in one direction when the other has ended', async () => {
    const { world, near, far } = pair()
    reads(near)
    reads(far)
    near.stream.end()
    await world.pass(120_000)
    expect(far.happened).toEqual(['end'])
    expect(near.happened).toEqual(['finish'])
    for (let i = 0; i < 10; i++) far.stream.write(`${i}`)
    await world.pass(100)
    expect(text(near)).toBe('0123456789')
    far.stream.end()
    await world.pass(100)
    expect(near.happened).toEqual(['finish', 'end', 'close'])
  })

  test('sends what is written in one turn as one message, and long writes as full ones', async () => {
    const { world, near, far } = pair()
    reads(far)
    for (let i = 0; i < 100; i++) near.stream.write('ab')
    await world.pass(10)
    expect(near.sent).toHaveLength(1)
    near.stream.write(Buffer.alloc(61_440 * 3 + 1))
    await world.pass(10)
    expect(near.sent.slice(1).map(({ length }) => length - 4)).toEqual([61_440, 61_440, 61_440, 1])
    expect(Buffer.concat(far.got)).toHaveLength(200 + 61_440 * 3 + 1)
  })

  test('fills every message of a long transfer, whatever pieces it is written in', async () => {
    const { world, near, far } = pair()
    const bytes = 6_400_000
    const chunk = Buffer.alloc(64_000)
    reads(far)
    for (let left = bytes; left > 0; left -= chunk.length)
      if (!near.stream.write(chunk)) {
        const drained = new Promise(resolve => near.stream.once('drain', resolve))
        await world.pass(1)
        await drained
      }
    near.stream.end()
    await world.pass(1_000)
    expect(Buffer.concat(far.got)).toHaveLength(bytes)
    const data = typesOf(near).filter(type => type === StreamData.type)
    expect(data.length).toBeLessThan((bytes / 61_440) * 1.25)
  })

  test('holds the writer back while the reader does not read', async () => {
    const { world, near, far } = pair()
    let written = 0
    const chunk = Buffer.alloc(50_000)
    while (near.stream.write(chunk) && written < 1_000) written++
    await world.pass(1_000)
    expect(written).toBeLessThan(100)
    reads(far)
    near.stream.end()
    await world.pass(1_000)
    expect(Buffer.concat(far.got)).toHaveLength((written + 1) * 50_000)
    expect(far.happened).toContain('end')
  })

  test('finishes only when the other side has every byte', async () => {
    const { world, near, far } = pair()
    near.stream.end(Buffer.alloc(2_000_000))
    await world.pass(1_000)
    expect(near.happened).toEqual([])
    reads(far)
    await world.pass(1_000)
    expect(near.happened).toEqual(['finish'])
  })

  test('that both end at once lingers, so that neither END_ACK is lost, and no longer', async () => {
    const { world, near, far, channels } = pair()
    reads(near)
    reads(far)
    near.stream.end('a')
    far.stream.end('b')
    await world.pass(1_000)
    expect(near.happened).toContain('close')
    expect(far.happened).toContain('close')
    expect(channels[0].path()).not.toBeNull()
    await world.pass(30_000)
    expect(channels[0].path()).toBeNull()
    expect([near.error, far.error]).toEqual([null, null])
    expect(world.pending).toBe(0)
  })

  test('that is destroyed fails on the other side', async () => {
    const { world, near, far } = pair()
    reads(far)
    near.stream.write('some of it')
    await world.pass(10)
    near.stream.destroy()
    await world.pass(10)
    expect(text(far)).toBe('some of it')
    expect(far.error).toMatchObject({ code: 'CHANNEL_CLOSED' })
    expect(far.happened).toEqual(['close'])
    expect(near.error).toBeNull()
  })

  test('gives up where the other side has ended and never acknowledges our end', async () => {
    const world = new World(1)
    const [mine, theirs] = loopbackPair(world, SELF)
    theirs.attach({ message: () => {}, drained: () => {}, closed: () => {} })
    const stream = asDuplex(mine, world)
    let error: Error | null = null
    stream.on('error', reason => {
      error = reason
    })
    stream.resume()
    theirs.send(StreamEnd.encode({}))
    stream.end()
    await world.pass(61_000)
    expect(error).toMatchObject({ code: 'PEER_TIMEOUT' })
    expect(world.pending).toBe(0)
  })

  test.for([
    ['a message of another protocol', [Uint8Array.of(0, 5, 0xbd, 0x00, 1)]],
    [
      'data after the end',
      [StreamEnd.encode({}), StreamData.encode({ payload: new Uint8Array(1) })],
    ],
    ['an acknowledgement of no end', [StreamEndAck.encode({})]],
  ] as const)('fails on %s', async ([, messages]) => {
    const world = new World(1)
    const [mine, theirs] = loopbackPair(world, SELF)
    theirs.attach({ message: () => {}, drained: () => {}, closed: () => {} })
    const stream = asDuplex(mine, world)
    let error: Error | null = null
    stream.on('error', reason => {
      error = reason
    })
    for (const raw of messages) theirs.send(raw)
    await world.pass(10)
    expect(error).toMatchObject({ code: 'WIRE_MALFORMED' })
  })

  test('uses its own message types in the order of the protocol', async () => {
    const { world, near, far } = pair()
    reads(near)
    reads(far)
    near.stream.end('x')
    far.stream.end('y')
    await world.pass(10)
    expect(typesOf(near)).toEqual([0xbdb0, 0xbdb1, 0xbdb2])
  })
})

describe('a stream whose channel is held back while somebody types', () => {
  /** A channel of which the test says when there is room. */
  function heldStream() {
    const world = new World(1)
    const sent: number[] = []
    let events!: ChannelEvents
    let hasRoom = true
    const channel: Channel = {
      peer: SELF,
      path: () => null,
      attach: told => {
        events = told
      },
      send: message => {
        sent.push(StreamData.decode(message).payload.length)
        return hasRoom
      },
      pause: () => {},
      resume: () => {},
      close: () => {},
    }
    const stream = asDuplex(channel, world)
    stream.on('error', () => {})
    const hold = async () => {
      hasRoom = false
      stream.write(Buffer.alloc(16_000))
      await world.pass(0)
    }
    const drain = async () => {
      hasRoom = true
      events.drained()
      await world.pass(0)
    }
    /** There is room again, which only who sends hears. */
    const free = () => {
      hasRoom = true
    }
    const write = async (size: number) => {
      stream.write(Buffer.alloc(size))
      await world.pass(0)
    }
    const end = () => events.closed(new BoxError('CHANNEL_LOST'))
    return { world, stream, sent, hold, drain, free, write, end }
  }

  test('sends what is small all the same, and all else when there is room', async () => {
    const { stream, sent, hold, drain, write } = heldStream()
    stream.hurry(true)
    await hold()
    await write(80)
    await write(90)
    expect(sent).toEqual([16_000, 80, 90])
    await write(2_000)
    // What comes behind it comes behind it.
    await write(70)
    expect(sent).toEqual([16_000, 80, 90])
    await drain()
    expect(sent).toEqual([16_000, 80, 90, 2_070])
  })

  test('goes on where what is small hears that there is room', async () => {
    const { world, stream, sent, hold, free, write } = heldStream()
    stream.hurry(true)
    await hold()
    let isRoom = false
    void stream.untilRoom().then(() => {
      isRoom = true
    })
    await world.pass(1_000)
    expect(isRoom).toBe(false)
    free()
    await write(80)
    expect(isRoom).toBe(true)
    await write(2_000)
    expect(sent).toEqual([16_000, 80, 2_000])
  })

  test('sends nothing more where nobody types', async () => {
    const { stream, sent, hold, drain, write } = heldStream()
    stream.hurry(true)
    stream.hurry(false)
    await hold()
    await write(80)
    expect(sent).toEqual([16_000])
    await drain()
    expect(sent).toEqual([16_000, 80])
  })

  test('sends no more than some, so that nothing piles up where there is no way', async () => {
    const { stream, sent, hold, drain, write } = heldStream()
    stream.hurry(true)
    await hold()
    for (let n = 0; n < 500; n++) await write(50)
    expect(sent.length).toBeLessThan(40)
    await drain()
    expect(sent.reduce((sum, size) => sum + size)).toBe(16_000 + 500 * 50)
  })

  test('tells when there is room, at once where there is', async () => {
    const { world, stream, hold, drain, end } = heldStream()
    const told: string[] = []
    const wait = (name: string) => void stream.untilRoom().then(() => told.push(name))
    wait('at once')
    await world.pass(0)
    await hold()
    wait('one')
    wait('two')
    await world.pass(1_000)
    expect(told).toEqual(['at once'])
    await drain()
    expect(told).toEqual(['at once', 'one', 'two'])
    await hold()
    wait('at the end')
    end()
    await world.pass(0)
    expect(told.at(-1)).toBe('at the end')
    wait('behind it')
    await world.pass(0)
    expect(told.at(-1)).toBe('behind it')
  })
})

test('whatever is written, read, paused, ended or broken: an end means all, a break is seen', async () => {
  const action = fc.oneof(
    fc.record({ does: fc.constant('write' as const), side: fc.nat(1), size: fc.nat(150_000) }),
    fc.record({ does: fc.constantFrom('end', 'pause', 'resume', 'wait'), side: fc.nat(1) }),
    {
      weight: 1,
      arbitrary: fc.record({ does: fc.constantFrom('crash', 'destroy'), side: fc.nat(1) }),
    },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 25 }), async actions => {
      const { world, near, far, channels } = pair()
      const sides = [near, far] as const
      const written = [0, 0]
      /** Who has thrown away what had arrived and was not read yet. */
      const gaveUp = [false, false]
      for (const side of sides) reads(side)
      for (const step of actions) {
        const { stream } = sides[step.side]!
        if (step.does === 'write' && 'size' in step && !stream.writableEnded && !stream.destroyed) {
          const from = written[step.side]!
          stream.write(Uint8Array.from({ length: step.size }, (_, at) => (from + at) % 251))
          written[step.side] = from + step.size
        }
        if (step.does === 'end') stream.end()
        if (step.does === 'pause') stream.pause()
        if (step.does === 'resume') stream.resume()
        if (step.does === 'wait') await world.pass(1)
        if (step.does === 'crash') {
          channels[step.side]!.close()
          stream.destroy()
        }
        if (step.does === 'destroy') stream.destroy()
        if (step.does === 'crash' || step.does === 'destroy') gaveUp[step.side] = true
      }
      for (const { stream } of sides) {
        stream.resume()
        stream.end()
      }
      await world.pass(200_000)
      for (const [at, end] of sides.entries()) {
        const got = Buffer.concat(end.got)
        expect(got.every((byte, index) => byte === index % 251)).toBe(true)
        if (end.happened.includes('end')) expect(got).toHaveLength(written[1 - at]!)
        const hasArrived = sides[1 - at]!.happened.includes('finish')
        if (hasArrived && !gaveUp[at]) expect(got).toHaveLength(written[1 - at]!)
        expect(end.happened).toContain('close')
      }
      expect(world.pending).toBe(0)
    }),
    { numRuns: 150 },
  )
})
