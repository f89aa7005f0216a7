import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SealedMessage } from '../../src/box/messages.ts'
import type { Service } from '../../src/box/ports.ts'
import { type Channel, MESSAGE_SIZE_MAX } from '../../src/mesh/mesh.ts'
import { framed, Inbox } from '../compliance/mesh.ts'
import { Pair } from './pair-of-peers.ts'

/** Two who have authenticated each other; what goes between them can be seen, and changed. */
async function both(purpose: Service) {
  const pair = new Pair()
  const seen: Uint8Array[] = []
  let change: (message: Uint8Array, number: number) => Uint8Array | null = message => message
  const { sessions } = pair.listen(purpose)
  const channel = await pair.connect(purpose)
  const near = (await pair.until(pair.authenticate(channel, purpose))).channel
  const far = (await pair.until(sessions[0]!)).channel
  pair.net.tamper = message => {
    seen.push(message.slice())
    return change(message, seen.length)
  }
  const [nearIn, farIn] = [new Inbox(), new Inbox()]
  near.attach(nearIn)
  far.attach(farIn)
  await pair.world.pass(100)
  const tamper = (how: typeof change) => {
    change = how
  }
  return { pair, near, far, nearIn, farIn, seen, tamper }
}

const text = (words: string): Uint8Array => framed(new TextEncoder().encode(words))
const say = (channel: Channel, ...all: readonly string[]) => {
  for (const words of all) channel.send(text(words))
}

test('brings messages of every size in both directions, and shows them to nobody on the way', async () => {
  const { pair, near, far, nearIn, farIn, seen } = await both('control')
  const sizes = [
    0,
    1,
    100,
    60_000,
    MESSAGE_SIZE_MAX - 26,
    MESSAGE_SIZE_MAX - 25,
    MESSAGE_SIZE_MAX - 4,
  ]
  const messages = sizes.map(size => framed(new Uint8Array(size).fill(0x42)))
  for (const message of messages) {
    near.send(message)
    far.send(message)
    await pair.world.pass(100)
  }
  expect(farIn.messages).toEqual(messages)
  expect(nearIn.messages).toEqual(messages)
  for (const raw of seen) {
    expect(raw.length).toBeLessThanOrEqual(MESSAGE_SIZE_MAX)
    expect(SealedMessage.decode(raw).sealed.length).toBeGreaterThan(16)
    expect(Buffer.from(raw).includes(Buffer.alloc(8, 0x42))).toBe(false)
  }
})

test('leaves SSH as it is, which seals by itself', async () => {
  const { pair, near, farIn, seen } = await both('ssh')
  say(near, 'SSH-2.0')
  await pair.world.pass(100)
  expect(farIn.messages).toEqual([text('SSH-2.0')])
  expect(seen).toEqual([text('SSH-2.0')])
})

test.for([
  ['changed', (message: Uint8Array) => message.map((byte, at) => (at === 9 ? byte ^ 1 : byte))],
  ['left out', () => null],
  ['replaced by one of somebody else', () => text('leave')],
] as const)('ends where a message is %s', async ([, how]) => {
  const { pair, near, nearIn, farIn, tamper } = await both('control')
  tamper((message, number) => (number === 2 ? how(message) : message))
  say(near, 'one', 'two', 'three')
  await pair.world.pass(1_000)
  expect(farIn.messages).toEqual([text('one')])
  expect(farIn.reason?.code).toBe('CHANNEL_LOST')
  expect(nearIn.reason?.code).toBe('CHANNEL_CLOSED')
})

test('ends where a message is repeated, or sent back to whoever said it', async () => {
  const again = await both('push')
  let first: Uint8Array | null = null
  again.tamper(message => {
    first ??= message.slice()
    return first
  })
  say(again.near, 'one', 'two')
  await again.pair.world.pass(1_000)
  expect([again.farIn.messages, again.farIn.reason?.code]).toEqual([[text('one')], 'CHANNEL_LOST'])
  const back = await both('push')
  let said: Uint8Array | null = null
  back.tamper((message, number) => {
    said = number === 1 ? message.slice() : said
    return number === 2 ? said : message
  })
  say(back.near, 'mine')
  await back.pair.world.pass(100)
  say(back.far, 'theirs')
  await back.pair.world.pass(1_000)
  expect([back.nearIn.messages, back.nearIn.reason?.code]).toEqual([[], 'CHANNEL_LOST'])
})

test('any change to what travels ends it, and never brings anything else', async () => {
  const changes = fc.record({
    nth: fc.nat(3),
    at: fc.nat(30),
    bits: fc.integer({ min: 1, max: 255 }),
  })
  await fc.assert(
    fc.asyncProperty(changes, async ({ nth, at, bits }) => {
      const { pair, near, farIn, tamper } = await both('control')
      tamper((message, number) =>
        number === nth + 1
          ? message.map((byte, place) =>
              place === 4 + (at % (message.length - 4)) ? byte ^ bits : byte,
            )
          : message,
      )
      const words = ['one', 'two', 'three', 'four']
      say(near, ...words)
      await pair.world.pass(1_000)
      expect(farIn.messages).toEqual(words.slice(0, nth).map(text))
      expect(farIn.reason?.code).toBe('CHANNEL_LOST')
    }),
    { numRuns: 40 },
  )
})
