/** The doors of PSYC: values, fragments, group keys, and what is kept of a place. See doors.ts. */

import type { Clock } from '../../src/base/clock.ts'
import { memoryStore } from '../../src/base/store.ts'
import { AgreementKey } from '../../src/crypto/agreement.ts'
import { SigningKey } from '../../src/crypto/signing.ts'
import { zoneKeyOf } from '../../src/crypto/zone-key.ts'
import { wordOf } from '../../src/psyc/admission.ts'
import { BEGINNING, KIND, makeFragment, readFragment } from '../../src/psyc/fragment.ts'
import { frameParts, readFrame, STATELESS, TRANSMIT } from '../../src/psyc/frame.ts'
import {
  openBack,
  openContent,
  openRekey,
  sealContent,
  sealRekey,
} from '../../src/psyc/group-key.ts'
import { History, memoryLedger } from '../../src/psyc/history.ts'
import * as list from '../../src/psyc/list.ts'
import {
  type Memory,
  packState,
  readMemory,
  unpackState,
  writeMemory,
} from '../../src/psyc/memory.ts'
import {
  PlaceEpoch,
  PlaceEpochs,
  PlacePublished,
  PsycMessagePlain,
} from '../../src/psyc/messages.ts'
import { modifier, packet } from '../../src/psyc/packet.ts'
import { parsePacketId, renderPacketId } from '../../src/psyc/packet-id.ts'
import { EpochTrust, momentOf } from '../../src/psyc/trust.ts'
import { parseUniform, renderUniform } from '../../src/psyc/uniform.ts'
import { fromLatin, VECTORS } from '../psyc/vectors.ts'
import { utf8 } from '../vectors.ts'
import { type ByteDoor, expected, random, type TextDoor } from './doors.ts'

const key = SigningKey.fromSeed(random.bytes(32))
const place = key.publicKey
const agreement = AgreementKey.fromSecret(random.bytes(32))
const [oldKey, newKey] = [random.bytes(32), random.bytes(32)]
const GENERATION = 2
const clock: Clock = { now: () => 0, elapsed: () => 0, after: () => ({ cancel: () => {} }) }

const head = { id: 1n, kind: KIND.content, generation: 1, previous: BEGINNING.hash }
const sealed = sealContent(oldKey, place, head, utf8('hello'))
const rekeys = [null, [agreement.publicKey]].map(members =>
  sealRekey({
    ...{ random, place, generation: GENERATION, key: newKey, old: oldKey, members },
    ...{ isHistoryOpen: true, revoked: [3n] },
  }),
)
const fragments = [
  makeFragment(key, { ...head, body: sealed }),
  makeFragment(key, { ...head, kind: KIND.rekey, generation: GENERATION, body: rekeys[0]! }),
].map(({ raw }) => raw)

const state = packState(packet({ entity: [modifier('=', '_topic', 'tea')], method: '_state' }))
const memory: Memory = {
  keys: [[1, oldKey]],
  snapshot: { id: 4n, state },
  members: [
    {
      zone: zoneKeyOf('EDKEY', place),
      ...{ agreement: agreement.publicKey, serial: 1n, since: 2n },
    },
  ],
  ...{ nextSerial: 2n, revoked: [7n], agreement: random.bytes(32), ticket: random.bytes(100) },
}
const epochs = {
  ticketSeed: random.bytes(32),
  current: { seed: random.bytes(32), from: 3n },
  coming: random.bytes(32),
  ended: [{ seed: random.bytes(32), leftMs: 900_000 }],
}
const memoryBytes = [
  memory,
  { ...memory, agreement: null, ticket: null },
  { ...memory, agreement: null, ticket: null, epochs },
].map(one => {
  const store = memoryStore()
  writeMemory(store, 'place', one)
  return store.get('place')!
})

const signer = SigningKey.fromSeed(random.bytes(32))
const chain = [
  makeFragment(signer, { ...head, body: sealed }, place),
  makeFragment(
    signer,
    { ...head, kind: KIND.epoch, body: PlaceEpoch.encode({ key: random.bytes(32) }) },
    place,
  ),
  makeFragment(
    signer,
    { ...head, kind: KIND.published, body: PlacePublished.encode({ seeds: [random.bytes(32)] }) },
    place,
  ),
]
const told = {
  ...{ startId: 0n, key: signer.publicKey, ticketKey: place, leaseMs: 3_600_000 },
  ends: [{ id: 0n, digest: random.bytes(32) }],
}
const words = [told, { ...told, ends: [{ id: 2n, digest: chain[0]!.digest }] }].map(
  PlaceEpochs.encode,
)

/** What is handed on in a deniable place, to one who knows the key, and to one who knows only where it leads. */
function handOn(raw: Uint8Array): void {
  for (const word of words) {
    const history = new History(place, memoryLedger())
    const trust = new EpochTrust(place, clock)
    trust.hear(PlaceEpochs.decode(word), momentOf(clock), history)
    trust.take(history, raw)
  }
}

/** The host's word, whatever it says, and what is taken by it. */
function believe(word: Uint8Array): void {
  const history = new History(place, memoryLedger())
  const trust = new EpochTrust(place, clock)
  trust.hear(wordOf(PlaceEpochs.decode(word)), momentOf(clock), history)
  for (const { raw } of chain) expected(() => trust.take(history, raw))
}

const frames = [
  ...VECTORS.frames.map(
    ({ hex }) => PsycMessagePlain.decode(Uint8Array.from(Buffer.from(hex, 'hex'))).parts,
  ),
  frameParts({
    ...{ method: '_message', flags: TRANSMIT.modify, stateDelta: STATELESS },
    ...{ entity: [modifier(':', '_nick', 'kris')], data: utf8('hello') },
  }),
]
const bytesOf = (vectors: readonly { readonly bytes: string }[]) =>
  vectors.map(({ bytes }) => fromLatin(bytes))
const goodLists = bytesOf(VECTORS.lists)
const goodDicts = bytesOf(VECTORS.dicts)
const updates: readonly list.Update[] = [
  { path: [{ at: 1 }], operator: '+', type: '_color', value: utf8('blue') },
  { path: [{ key: utf8('a') }, { field: '_b' }], operator: '=', type: null, value: utf8('x|{}') },
]

/** What may be read of a fragment by somebody with the keys, once its signature is past. */
function readBody(body: Uint8Array): void {
  for (const old of [oldKey, null])
    expected(() => openRekey(body, place, GENERATION, { old, agreement }))
  expected(() => openBack(body, place, GENERATION, newKey))
  openContent(oldKey, place, head, body)
}

export const PSYC_BYTE_DOORS: readonly ByteDoor[] = [
  {
    name: 'fragment of a place',
    of: ['readFragment'],
    right: fragments,
    read: bytes => readFragment(place, bytes),
  },
  {
    name: 'fragment of a deniable place',
    of: [],
    right: chain.map(({ raw }) => raw),
    read: handOn,
  },
  { name: 'word on a deniable place', of: [], right: words, read: believe },
  {
    name: 'body of a fragment',
    of: ['openContent', 'openRekey', 'openBack'],
    right: [sealed, ...rekeys],
    read: readBody,
  },
  { name: 'framed message', of: ['readFrame'], right: frames, read: readFrame },
  { name: 'list', of: ['parseList'], right: goodLists, read: list.parseList },
  { name: 'dict', of: ['parseDict'], right: goodDicts, read: list.parseDict },
  {
    name: 'update',
    of: ['parseUpdate'],
    right: [...updates.map(list.renderUpdate), ...bytesOf(VECTORS.updates)],
    read: list.parseUpdate,
  },
  {
    name: 'index',
    of: ['parseIndex'],
    right: [...VECTORS.updates.map(({ index }) => fromLatin(index)), utf8('#1{foo}._bar')],
    read: list.parseIndex,
  },
  {
    name: 'id of a packet',
    of: ['parsePacketId'],
    right: VECTORS.packetIds.map(([id]) => renderPacketId(id)),
    read: parsePacketId,
  },
  {
    name: 'file of a place',
    of: ['readMemory'],
    right: memoryBytes,
    read: bytes => {
      const store = memoryStore()
      store.set('place', bytes)
      return readMemory(store, 'place')
    },
  },
  { name: 'state of a place', of: [], right: [state], read: unpackState },
]

export const PSYC_TEXT_DOORS: readonly TextDoor[] = [
  {
    name: 'uniform',
    of: ['parseUniform'],
    right: [
      renderUniform({
        ...{ host: 'kitchen.home', port: null, transport: 'g', resource: '~kris', channel: 'tea' },
      }),
      ...VECTORS.uniforms.valid.map(([text]) => text),
    ],
    read: parseUniform,
  },
]
