import { expect, test } from 'vitest'
import { Counters } from '../../../../src/base/counters.ts'
import { peerId } from '../../../../src/base/ids.ts'
import { DirectionKey } from '../../../../src/mesh/core/ephemeral/keys.ts'
import { Encrypted } from '../../../../src/mesh/core/ephemeral/messages.ts'
import { Inbound, Outbound } from '../../../../src/mesh/core/ephemeral/session.ts'
import { World } from '../../../sim/world.ts'
import { toHex } from '../../../vectors.ts'

const [a, b] = [1, 2].map(seed => peerId(new Uint8Array(32).fill(seed)))
const material = new Uint8Array(64).fill(3)

function pair(world: World) {
  const counters = new Counters()
  return {
    outbound: new Outbound(new DirectionKey(material, a!, b!, 7), world),
    inbound: new Inbound(new DirectionKey(material, a!, b!), world, counters),
    counters,
  }
}

test('what was sealed is opened, in whatever order it comes', () => {
  const { outbound, inbound } = pair(new World(1))
  const texts = Array.from({ length: 30 }, (_, i) => new Uint8Array(i).fill(i))
  const sealed = texts.map(text => Encrypted.decode(outbound.seal([text], text.length)))
  for (const i of [29, 0, 15, ...texts.keys()].filter((n, at, all) => all.indexOf(n) === at)) {
    expect(inbound.isGenuine(sealed[i]!)).toBe(true)
    expect(inbound.open(sealed[i]!)).toEqual(texts[i])
    expect(inbound.open(sealed[i]!)).toBeNull()
  }
})

test('no two messages have the same first block, even with the same seed and content', () => {
  const { outbound } = pair(new World(2))
  const text = new Uint8Array(64)
  const firsts = Array.from({ length: 1_000 }, () => {
    if (isIdle()) outbound.prepare()
    const { seed, sealed } = Encrypted.decode(outbound.seal([text], text.length))
    return `${toHex(seed)} ${toHex(sealed.subarray(0, 16))}`
  })
  expect(new Set(firsts).size).toBe(1_000)
  const seeds = new Set(firsts.map(first => first.slice(0, 8)))
  expect(seeds.size).toBe(4)
})

test('nor do equal contents look alike behind it', () => {
  const { outbound } = pair(new World(3))
  const text = new Uint8Array(64)
  const blocks = Array.from({ length: 200 }, () => {
    const { sealed } = Encrypted.decode(outbound.seal([text], text.length))
    return [1, 2, 3, 4].map(block => toHex(sealed.subarray(16 * block, 16 * block + 16)))
  }).flat()
  expect(new Set(blocks).size).toBe(blocks.length)
})

test('a message of the day before yesterday is refused', () => {
  const world = new World(4)
  const { outbound, inbound, counters } = pair(world)
  const old = Encrypted.decode(outbound.seal([new Uint8Array(4)], 4))
  world.run(25 * 3_600_000)
  expect(inbound.isGenuine(old)).toBe(true)
  expect(inbound.open(old)).toBeNull()
  expect(counters.read()['core.ancient']).toBe(1)
})

let turn = 0
/** Every third time: between messages there is time now and then. */
const isIdle = (): boolean => ++turn % 3 === 0
