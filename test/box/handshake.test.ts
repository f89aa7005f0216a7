import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BoxError } from '../../src/base/errors.ts'
import { peerId } from '../../src/base/ids.ts'
import { PAYLOAD_MAX, type Session } from '../../src/box/handshake.ts'
import { servicePort } from '../../src/box/ports.ts'
import { ZoneSecret, type ZoneType } from '../../src/crypto/zone-key.ts'
import type { Channel } from '../../src/mesh/mesh.ts'
import { outcome, Pair } from './pair-of-peers.ts'

/** How a party that was not proven to says so. */
const REFUSED = ['IDENTITY_WRONG', 'CHANNEL_CLOSED', 'PEER_TIMEOUT']
const utf8 = (text: string) => new TextEncoder().encode(text)
const note = (type: number) => Uint8Array.of(0, 5, 0xbf, type, 7)

async function both(pair: Pair): Promise<[Session, Session]> {
  const { sessions } = pair.listen('ssh')
  const channel = await pair.connect('ssh')
  const mine = await pair.until(pair.authenticate(channel, 'ssh'))
  return [mine, await pair.until(sessions[0]!)]
}

/** Runs a whole handshake; how it ended for the opener and for the device. */
async function outcomes(pair: Pair, mine: Parameters<Pair['authenticate']>[2] = {}) {
  const { sessions } = pair.listen('ssh')
  const channel = await pair.connect('ssh')
  const opener = await pair.until(outcome(pair.authenticate(channel, 'ssh', mine)))
  return { opener, device: await pair.until(outcome(sessions[0]!)) }
}

describe('the handshake', () => {
  const kinds: [ZoneType, ZoneType][] = [
    ['EDKEY', 'EDKEY'],
    ['PKEY', 'EDKEY'],
    ['EDKEY', 'PKEY'],
    ['PKEY', 'PKEY'],
  ]
  test.for(kinds)('proves a %s owner and a %s device to each other', async ([owner, device]) => {
    const pair = new Pair(1, owner, device)
    const [mine, theirs] = await both(pair)
    expect(mine.peerZone).toEqual(pair.device.zone)
    expect(theirs.peerZone).toEqual(pair.owner.zone)
    expect(mine.sessionKey).toHaveLength(32)
    expect(mine.sessionKey).toEqual(theirs.sessionKey)
  })

  test('gives each session another key', async () => {
    const pair = new Pair()
    const { sessions } = pair.listen('ssh')
    for (const _ of [1, 2]) await pair.until(pair.authenticate(await pair.connect('ssh'), 'ssh'))
    const [one, two] = await pair.until(Promise.all(sessions))
    expect(one!.sessionKey).not.toEqual(two!.sessionKey)
  })

  test('carries what each side has to say', async () => {
    const pair = new Pair()
    const heard: Uint8Array[] = []
    const { sessions } = pair.listen('ssh', {
      admit: (_zone, payload) => {
        heard.push(payload)
        return { payload: utf8('welcome') }
      },
    })
    const payload = pair.world.random.bytes(PAYLOAD_MAX)
    const channel = await pair.connect('ssh')
    const mine = await pair.until(pair.authenticate(channel, 'ssh', { payload }))
    expect(mine.payload).toEqual(utf8('welcome'))
    expect((await pair.until(sessions[0]!)).payload).toEqual(payload)
    expect(heard).toEqual([payload])
  })

  test('tells the device when the opener has to prove itself, which has nothing to do itself then', async () => {
    const pair = new Pair()
    const order: string[] = []
    const { sessions } = pair.listen('ssh', {
      answered: () => void order.push('answered'),
      admit: () => {
        order.push('proven')
        return { payload: utf8('') }
      },
    })
    const channel = await pair.connect('ssh')
    const payload = () => {
      order.push('proves')
      return utf8('')
    }
    await pair.until(pair.authenticate(channel, 'ssh', { payload }))
    await pair.until(sessions[0]!)
    expect(order).toEqual(['answered', 'proves', 'proven'])
  })

  test('hands on a channel that loses nothing sent right after it, and keeps the order', async () => {
    const pair = new Pair()
    const [mine, theirs] = await both(pair)
    const got: number[] = []
    for (let i = 0; i < 40; i++) mine.channel.send(note(i))
    await pair.world.pass(1_000)
    theirs.channel.attach({
      message: message => void got.push(message[3]!),
      drained: () => {},
      closed: () => {},
    })
    await pair.world.pass(1_000)
    expect(got).toEqual(Array.from({ length: 40 }, (_, i) => i))
  })

  test('hands on a channel that tells of its end even where it came before anybody listened', async () => {
    const pair = new Pair()
    const [mine, theirs] = await both(pair)
    mine.channel.close()
    await pair.world.pass(1_000)
    const reasons: string[] = []
    theirs.channel.attach({
      message: () => {},
      drained: () => {},
      closed: reason => void reasons.push(reason.code),
    })
    await pair.world.pass(1_000)
    expect(reasons).toEqual(['CHANNEL_CLOSED'])
  })

  test.for([
    ['NOT_PERMITTED', 'NOT_PERMITTED'],
    ['PAIRING_REFUSED', 'PAIRING_REFUSED'],
  ] as const)('tells a proven opener %s', async ([refused, code]) => {
    const pair = new Pair()
    const { sessions } = pair.listen('ssh', { admit: () => ({ refused }) })
    const channel = await pair.connect('ssh')
    expect(await pair.until(outcome(pair.authenticate(channel, 'ssh')))).toBe(code)
    expect(await pair.until(outcome(sessions[0]!))).toBe(code)
  })

  test('ends when the caller changes its mind, with its reason', async () => {
    const pair = new Pair()
    const stop = new AbortController()
    const channel = await pair.connectSilent()
    const session = pair.authenticate(channel, 'ssh', { signal: stop.signal })
    const reason = new Error('enough')
    stop.abort(reason)
    await expect(pair.until(session)).rejects.toBe(reason)
  })

  test('gives up on a silent side and leaves no timer', async () => {
    const pair = new Pair()
    const channel = await pair.connectSilent()
    expect(await pair.until(outcome(pair.authenticate(channel, 'ssh')))).toBe('PEER_TIMEOUT')
    await pair.world.pass(60_000)
    expect(pair.world.pending).toBe(0)
  })

  test('leaves no timer when all is well', async () => {
    const pair = new Pair()
    const [mine, theirs] = await both(pair)
    mine.channel.close()
    theirs.channel.close()
    await pair.world.pass(1_000)
    expect(pair.world.pending).toBe(0)
  })
})

describe('the handshake refuses', () => {
  test('any change of any byte, on both sides, as one of few errors', async () => {
    const change = fc.record({
      nth: fc.integer({ min: 0, max: 3 }),
      at: fc.nat(400),
      bits: fc.integer({ min: 1, max: 255 }),
      seed: fc.nat(1_000),
    })
    await fc.assert(
      fc.asyncProperty(change, async ({ nth, at, bits, seed }) => {
        const pair = new Pair(seed)
        let count = 0
        pair.net.tamper = message => {
          if (count++ !== nth) return message
          message[at % message.length]! ^= bits
          return message
        }
        const { opener, device } = await outcomes(pair)
        expect(REFUSED).toContain(opener)
        // The last message goes to the opener: the device has nothing left to wait for.
        if (nth < 3) expect(REFUSED).toContain(device)
      }),
      { numRuns: 120 },
    )
  })

  test('messages cut short, made longer, swallowed, or replaced by noise', async () => {
    const change = fc.record({
      nth: fc.integer({ min: 0, max: 3 }),
      noise: fc.uint8Array({ minLength: 4, maxLength: 300 }),
      how: fc.constantFrom('cut', 'longer', 'swallow', 'noise'),
    })
    await fc.assert(
      fc.asyncProperty(change, async ({ nth, noise, how }) => {
        const pair = new Pair()
        let count = 0
        pair.net.tamper = message => {
          if (count++ !== nth) return message
          if (how === 'cut') return message.slice(0, noise.length % message.length)
          if (how === 'longer') return Uint8Array.of(...message, ...noise)
          return how === 'noise' ? noise : null
        }
        const { opener, device } = await outcomes(pair)
        expect(REFUSED).toContain(opener)
        if (nth < 3) expect(REFUSED).toContain(device)
      }),
      { numRuns: 80 },
    )
  })

  test('a device that is another than the one wanted', async () => {
    const pair = new Pair()
    const other = ZoneSecret.generate('EDKEY', pair.world.random)
    const { sessions } = pair.listen('ssh', { own: other })
    const channel = await pair.connect('ssh')
    expect(await pair.until(outcome(pair.authenticate(channel, 'ssh')))).toBe('IDENTITY_WRONG')
    expect(REFUSED).toContain(await pair.until(outcome(sessions[0]!)))
  })

  test('an opener that does not know the zone key of the device, who learns nothing', async () => {
    const pair = new Pair()
    const guess = ZoneSecret.generate('EDKEY', pair.world.random).zone
    const said: Uint8Array[] = []
    pair.net.tamper = message => {
      said.push(message)
      return message
    }
    const { opener, device } = await outcomes(pair, { device: guess })
    expect(opener).toBe('IDENTITY_WRONG')
    expect(REFUSED).toContain(device)
    const all = said.map(message => Buffer.from(message).toString('hex')).join(' ')
    expect(said).toHaveLength(2)
    expect(all).not.toContain(Buffer.from(pair.owner.zone.slice(4)).toString('hex'))
    expect(all).not.toContain(Buffer.from(pair.device.zone.slice(4)).toString('hex'))
  })

  test('another purpose than the one the port is for', async () => {
    const pair = new Pair()
    const { sessions } = pair.listen('ssh', { purpose: 'pair' })
    const channel = await pair.connect('ssh')
    expect(await pair.until(outcome(pair.authenticate(channel, 'ssh')))).toBe('IDENTITY_WRONG')
    expect(REFUSED).toContain(await pair.until(outcome(sessions[0]!)))
  })

  test('a peer in the middle that forwards everything', async () => {
    const pair = new Pair()
    const middle = pair.net.peer()
    const { sessions } = pair.listen('ssh')
    const port = servicePort('ssh', pair.device.zone)
    middle.listen(port, near => {
      void middle.connect(pair.listener.self, port).then(far => {
        forward(near, far)
        forward(far, near)
      })
    })
    const channel = await pair.connect('ssh', middle.self)
    expect(await pair.until(outcome(pair.authenticate(channel, 'ssh')))).toBe('IDENTITY_WRONG')
    expect(REFUSED).toContain(await pair.until(outcome(sessions[0]!)))
  })

  test('a peer that believes to be another pid', async () => {
    const pair = new Pair()
    const { opener } = await outcomes(pair, { self: peerId(pair.world.random.bytes(32)) })
    expect(opener).toBe('IDENTITY_WRONG')
  })

  test('everything that was recorded before', async () => {
    const pair = new Pair()
    const heard: Uint8Array[] = []
    pair.net.tamper = (message, from) => {
      if (from === pair.opener.self) heard.push(message.slice())
      return message
    }
    const { sessions } = pair.listen('ssh')
    await pair.until(pair.authenticate(await pair.connect('ssh'), 'ssh'))
    expect(heard).toHaveLength(2)
    const again = await pair.connect('ssh')
    again.attach({ message: () => {}, drained: () => {}, closed: () => {} })
    for (const message of [...heard]) again.send(message)
    expect(await pair.until(outcome(sessions[1]!))).toBe('IDENTITY_WRONG')
  })

  test('its own words sent back to it', async () => {
    const pair = new Pair()
    pair.listener.listen(servicePort('ssh', pair.device.zone), channel => {
      channel.attach({
        message: message => void channel.send(message),
        drained: () => {},
        closed: () => {},
      })
    })
    const channel = await pair.connect('ssh')
    expect(await pair.until(outcome(pair.authenticate(channel, 'ssh')))).toBe('IDENTITY_WRONG')
  })

  test('an ephemeral key of small order', async () => {
    const pair = new Pair()
    let count = 0
    pair.net.tamper = message => {
      if (count++ === 0) message.fill(0, 6)
      return message
    }
    const { opener, device } = await outcomes(pair)
    expect(opener).toBe('CHANNEL_CLOSED')
    expect(device).toBe('IDENTITY_WRONG')
  })

  test('a flood before the first word is read', async () => {
    const pair = new Pair()
    const { sessions } = pair.listen('ssh')
    const channel = await pair.connect('ssh')
    channel.attach({ message: () => {}, drained: () => {}, closed: () => {} })
    for (let i = 0; i < 500; i++) channel.send(note(i & 0xff))
    const end = await pair.until(outcome(sessions[0]!))
    expect(end).toBe('IDENTITY_WRONG')
  })
})

function forward(from: Channel, to: Channel): void {
  from.attach({
    message: message => void to.send(message),
    drained: () => {},
    closed: reason => {
      expect(reason).toBeInstanceOf(BoxError)
      to.close()
    },
  })
}
