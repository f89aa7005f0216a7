/**
 * A host that dies at any write, before or after it reached the disk: what was accepted is there, once, and
 * the chain goes on where readers have it.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { BoxError } from '../../src/base/errors.ts'
import { peerId, type ZoneKey } from '../../src/base/ids.ts'
import { memoryStore, type Store } from '../../src/base/store.ts'
import { AgreementKey } from '../../src/crypto/agreement.ts'
import { SigningKey } from '../../src/crypto/signing.ts'
import { zoneKeyOf } from '../../src/crypto/zone-key.ts'
import { ChannelReader } from '../../src/psyc/channel.ts'
import { KIND } from '../../src/psyc/fragment.ts'
import { KeyRing } from '../../src/psyc/group-key.ts'
import { History, LEDGER_SIZE_MAX, type Ledger, memoryLedger } from '../../src/psyc/history.ts'
import { readMemory } from '../../src/psyc/memory.ts'
import { PlacePublished } from '../../src/psyc/messages.ts'
import { modifier } from '../../src/psyc/packet.ts'
import { PlaceHost } from '../../src/psyc/place-host.ts'
import { fileStore } from '../../src/sys/file-store.ts'
import { Journal } from '../../src/sys/journal.ts'
import { seededRandom } from '../sim/random.ts'
import { World } from '../sim/world.ts'
import { isSignedBy, isTrue } from './forgery.ts'
import { textOf } from './place-world.ts'
import { toLatin } from './vectors.ts'

/** The plug was pulled. */
class PowerCut extends Error {}

/** A disk that dies at its n-th write, just before or just after. */
class Disk {
  readonly ledger: Ledger
  readonly store: Store
  private writes = 0
  dieAt = Infinity
  isAfter = false

  constructor(ledger = memoryLedger(), store = memoryStore()) {
    this.ledger = { ...ledger, append: entry => this.write(() => ledger.append(entry)) }
    this.store = { ...store, set: (name, value) => this.write(() => store.set(name, value)) }
  }

  get count(): number {
    return this.writes
  }

  private write(run: () => void): void {
    this.writes++
    const isNow = this.writes === this.dieAt
    if (isNow && !this.isAfter) throw new PowerCut()
    run()
    if (isNow) throw new PowerCut()
  }
}

const random = seededRandom(7)
const key = SigningKey.fromSeed(random.bytes(32))
const zones = Array.from({ length: 3 }, () => zoneKeyOf('EDKEY', random.bytes(32)))
const secrets = zones.map(() => AgreementKey.fromSecret(random.bytes(32)))
let world: World

const open = ({ ledger, store }: { ledger: Ledger; store: Store }) =>
  new PlaceHost({
    ...{ key, clock: world, random, store, ledger, name: 'place' },
    self: { peer: peerId(new Uint8Array(32)), zone: zones[0]! },
    rules: { isHistoryOpen: true, announcesMembers: true, isDeniable },
  })
let isDeniable = false

/** Each can be tried again when it was not done, as those who ask do. */
const STEPS: ((host: PlaceHost) => void)[] = [
  host => host.admit(zones[1]!, secrets[1]!.publicKey),
  host => host.relay(zones[1]!, new Uint8Array(16).fill(1), saying('one')),
  host => host.admit(zones[2]!, secrets[2]!.publicKey),
  host => host.relay(zones[2]!, new Uint8Array(16).fill(2), saying('x'.repeat(150_000))),
  host => void host.dismiss(zones[1]!),
  host => host.relay(zones[2]!, new Uint8Array(16).fill(3), saying('three')),
]
const saying = (text: string) => ({
  method: '_message',
  data: new TextEncoder().encode(text),
})

beforeEach(() => {
  world = new World(1)
  isDeniable = false
})

const chainOf = (host: PlaceHost) => host.messages({ method: '_message' }).map(textOf)

function follow(disk: Disk, dieAt: number, isAfter: boolean): PlaceHost {
  let host = open(disk)
  disk.dieAt = dieAt
  disk.isAfter = isAfter
  for (const step of STEPS) {
    try {
      step(host)
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error
      host.close()
      host = open(disk)
      step(host)
    }
  }
  return host
}

/** Who signed the first fragment: the place, or one of the keys that its host has. */
function firstSigner(disk: Disk): Uint8Array {
  const { ended, current } = readMemory(disk.store, 'place')!.epochs ?? { ended: [], current: null }
  const seeds = [...ended, ...(current ? [current] : [])].map(({ seed }) => seed)
  const keys = [key.publicKey, ...seeds.map(seed => SigningKey.fromSeed(seed).publicKey)]
  const [first] = new History(key.publicKey, disk.ledger).from(1n)
  return keys.find(one => isSignedBy({ key }, first!, one))!
}

test.for([
  [false, false],
  [true, false],
  [false, true],
  [true, true],
] as const)(
  'dying at any write loses nothing and doubles nothing (after it: %j, deniable: %j)',
  ([isAfter, inDeniable]) => {
    isDeniable = inDeniable
    for (let dieAt = 3; dieAt < 40; dieAt++) {
      const disk = new Disk()
      const host = follow(disk, dieAt, isAfter)
      expect(chainOf(host), `write ${dieAt}`).toEqual(['one', 'x'.repeat(150_000), 'three'])
      expect(host.zones()).toEqual([zones[2]])

      // Whoever reads the whole chain comes to the same state, and the one who was put out to none.
      const history = new History(key.publicKey, disk.ledger)
      expect(history.damaged).toBe(false)
      const state = host.state.under('').map(([name, value]) => [name, toLatin(value)])
      const welcome = host.welcome(zones[2]!)!
      const keys = new KeyRing()
      keys.set(welcome.generation, welcome.key)
      const reader = new ChannelReader({ place: key.publicKey, keys, agreement: secrets[2]! })
      for (const fragment of history.from(0n)) {
        reader.take(fragment)
      }
      expect(isTrue({ key }, [...history.from(0n)], firstSigner(disk)), `write ${dieAt}`).toBe(true)
      host.close()
      disk.dieAt = Infinity
      const again = open(disk)
      expect(again.state.under('').map(([name, value]) => [name, toLatin(value)])).toEqual(state)
      again.close()
    }
  },
)

let directory: string | null = null
afterEach(() => {
  if (directory) rmSync(directory, { recursive: true, force: true })
  directory = null
})

test('on a real disk a host goes on where it was; a chain that lost its end is not gone on with', () => {
  directory = mkdtempSync(join(tmpdir(), 'box-place-'))
  const path = join(directory, 'chain')
  const openJournal = () => new Journal(path, { sizeMax: LEDGER_SIZE_MAX, durable: true })
  const store = fileStore(join(directory, 'store'))
  let ledger = openJournal()
  let host = open({ ledger, store })
  for (const step of STEPS) step(host)
  const before = { chain: chainOf(host), last: host.last }
  host.close()
  ledger.close()
  ledger = openJournal()
  host = open({ ledger, store })
  expect({ chain: chainOf(host), last: host.last }).toEqual(before)
  host.announce({ method: '_notice', entity: [modifier('=', '_topic', 'after')] })
  expect(host.last).toBe(before.last + 1n)
  host.close()
  const entries = ledger.entries()
  ledger.rewrite(entries.slice(0, 2))
  expect(() => open({ ledger, store })).toThrow(BoxError)
  ledger.rewrite(entries.toSpliced(3, 1))
  expect(() => open({ ledger, store })).toThrow(BoxError)
  // Nor the second time: what is damaged stays as it is, for whoever can repair it.
  expect(() => open({ ledger, store })).toThrow(BoxError)
  ledger.close()
})

test('a host that never runs for long keeps its state, whatever the history forgets', () => {
  const disk = { ledger: memoryLedger(), store: memoryStore() }
  const briefly = (use: (host: PlaceHost) => void) => {
    const host = new PlaceHost({
      ...{ key, clock: world, random, ...disk, name: 'place', historySize: 32_768 },
      self: { peer: peerId(new Uint8Array(32)), zone: zones[0]! },
      rules: { isHistoryOpen: false, announcesMembers: false },
    })
    use(host)
    host.close()
  }
  briefly(host => host.announce({ method: '_notice', entity: [modifier('=', '_topic', 'kept')] }))
  for (let start = 0; start < 200; start++) briefly(host => host.announce(saying('x')))
  briefly(host => {
    expect(host.messages({ method: '_notice' })).toEqual([])
    expect(toLatin(host.state.get('_topic')!)).toBe('kept')
  })
})

test.for([false, true])(
  'dying at any write while a key gives way to the next, or is published (after it: %j)',
  async isAfter => {
    isDeniable = true
    // Up to the write that is never reached: all is done by then.
    for (let dieAt = 1, hasDied = true; hasDied; dieAt++) {
      const disk = new Disk()
      let host = open(disk)
      host.announce(saying('one'))
      host.close()
      Object.assign(disk, { dieAt: disk.count + dieAt, isAfter })
      try {
        host = open(disk)
        host.announce(saying('two'))
        await world.pass(8 * 3_600_000)
        hasDied = disk.count >= disk.dieAt
      } catch (error) {
        if (!(error instanceof PowerCut)) throw error
        host.close()
        host = open(disk)
        if (!chainOf(host).includes('two')) host.announce(saying('two'))
      }
      await world.pass(8 * 3_600_000)
      expect(chainOf(host), `write ${dieAt}`).toEqual(['one', 'two'])
      const fragments = [...new History(key.publicKey, disk.ledger).from(1n)]
      const seeds = fragments.flatMap(({ kind, body }) =>
        kind === KIND.published ? PlacePublished.decode(body).seeds : [],
      )
      const out = seeds.map(seed => SigningKey.fromSeed(seed).publicKey)
      const first = out.find(one => isSignedBy({ key }, fragments[0]!, one))
      expect(first, `write ${dieAt}`).toBeDefined()
      expect(isTrue({ key }, fragments, first!)).toBe(true)
      for (const one of fragments.filter(({ kind }) => kind < KIND.epoch))
        expect(out.some(signer => isSignedBy({ key }, one, signer))).toBe(true)
      host.close()
    }
  },
)

test('a full disk: what is not written is not said, and what is written goes out', () => {
  const disk = new Disk()
  const host = open(disk)
  host.admit(zones[1]!, secrets[1]!.publicKey)
  const tag = new Uint8Array(16).fill(9)
  disk.dieAt = disk.count + 1
  expect(() => host.relay(zones[1]!, tag, saying('one'))).toThrow(PowerCut)
  expect(host.hasSaid(zones[1]!, tag)).toBe(false)
  host.relay(zones[1]!, tag, saying('one'))
  expect(host.hasSaid(zones[1]!, tag)).toBe(true)
  expect(chainOf(host)).toEqual(['one'])
  host.close()
})

test('members that are no members any more have no key', () => {
  const disk = new Disk()
  const host = follow(disk, Infinity, false)
  const zone: ZoneKey = zones[1]!
  expect(host.welcome(zone)).toBe(null)
  const keys = new KeyRing()
  const reader = new ChannelReader({ place: key.publicKey, keys, agreement: secrets[1]! })
  const history = new History(key.publicKey, disk.ledger)
  const heard = [...history.from(0n)].flatMap(fragment => reader.take(fragment) ?? [])
  expect(heard).toEqual([])
  host.close()
})
