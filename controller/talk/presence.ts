/**
 * Says to each contact where we are, for as long as we are there, and that we are not when we leave (whereabouts.ts).
 * What is out, and until when, lies in the state directory: the expiry of a block never goes back.
 */

import { equalBytes, keyOf } from '../../src/base/bytes.ts'
import type { Timer } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import { memoryStore, type Store } from '../../src/base/store.ts'
import { type HubRecord, helloPeer } from '../../src/box/device-record.ts'
import type { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { Publisher } from '../../src/gns/publisher.ts'
import type { ZoneRecord } from '../../src/gns/record.ts'
import { ZoneDatabase } from '../../src/gns/zone.ts'
import type { Mesh } from '../../src/mesh/mesh.ts'
import { type Context, knownHubs } from '../context.ts'
import type { State } from '../state.ts'
import type { Tie } from './tie.ts'
import { awayRecords, hereRecords, mailRecords } from './whereabouts.ts'

const FILE = 'talk-names'
/** Hubs come and go; the first link is up a moment after the start. */
const LOOK_EVERY_MS = 5_000
const HUBS_MAX = 4
/** Who has something else to do waits so long for it to be out. */
const WAIT_MS = 2_000
const WAIT_STEP_MS = 25
/** What is out is good for a day: it is said again when a quarter of that is over. */
const AGAIN_MS = 6 * 3_600_000
/** Somebody who said to be here, and was killed, is believed to be here no longer than that. */
const HERE_MS = 3_600_000
/** What ends within this is left to end. */
const COVER_MIN_MS = 60_000

interface Published {
  /** When it was last said. */
  readonly at: number
  readonly isHere: boolean
  /** For whom, and with which relays. */
  readonly digest: string
  readonly expiries: Readonly<Record<string, string>>
}

/** What is said, and to whom. */
export interface Told {
  readonly ties: readonly Tie[]
  readonly relays: readonly ZoneKey[]
  /** Labels, in zones of ours, under which others find what we hand out, while we are here. */
  readonly shared: readonly OwnLabel[]
}

export interface OwnLabel {
  readonly own: ZoneSecret
  readonly label: string
}

interface Wanted extends OwnLabel {
  readonly records: readonly ZoneRecord[]
}

/** Whether it was said by a process that is not there any more, or not at all. */
export function isPresenceDue({ state, clock }: Context, told: Told): boolean {
  const { at, isHere, digest } = readPublished(state)
  const age = clock.now() - at
  if (isHere && age >= 0 && age < HERE_MS) return false
  return digest !== digestOf(told) || age < 0 || age >= AGAIN_MS
}

export class Presence {
  private readonly context: Context
  private readonly mesh: Mesh
  private readonly isHere: boolean
  private readonly told: () => Told
  private readonly store: Store
  private readonly database: ZoneDatabase
  private readonly publisher: Publisher
  private said = ''
  private timer: Timer | null = null
  private saving: Promise<void> = Promise.resolve()

  /** `isHere`: we are reached at our peer. `told` is asked now and then. */
  constructor(context: Context, mesh: Mesh, told: () => Told, isHere: boolean) {
    const { state, clock, random, log } = context
    this.context = context
    this.mesh = mesh
    this.told = told
    this.isHere = isHere
    this.store = memoryStore()
    for (const [name, hex] of Object.entries(readPublished(state).expiries))
      this.store.set(name, Uint8Array.from(Buffer.from(hex, 'hex')))
    this.database = new ZoneDatabase(this.store)
    this.publisher = new Publisher({ mesh, clock, random, log, database: this.database })
    this.look()
  }

  /** Says it again where something is different. */
  look(): void {
    this.timer?.cancel()
    this.say(this.isHere)
    this.timer = this.context.clock.after(LOOK_EVERY_MS, () => this.look())
  }

  /** Resolves when all of it is out, or after a moment. */
  async out(waitMs = WAIT_MS): Promise<void> {
    const { clock } = this.context
    const isOut = () =>
      this.database
        .zones()
        .every(zone =>
          this.database
            .labels(zone)
            .every(label => this.publisher.publishedUntil(zone, label) !== null),
        )
    const deadline = clock.elapsed() + waitMs
    while (!isOut() && clock.elapsed() < deadline)
      await new Promise<void>(resolve => void clock.after(WAIT_STEP_MS, resolve))
  }

  /** Says that we leave, as far as that gets out. */
  async close(): Promise<void> {
    this.timer?.cancel()
    if (this.isHere) this.say(false)
    await this.out()
    this.publisher.close()
    await this.saving
    await this.save(false)
  }

  private say(isHere: boolean): void {
    const wanted = this.wanted(isHere)
    const text = JSON.stringify(wanted.map(one => [nameOf(one), one.records.map(textOf)]))
    if (text === this.said) return
    this.said = text
    // Our key may be another one since (box rotate).
    const { secret, former } = this.context.ego()
    for (const own of [secret, ...former.map(one => one.secret)]) {
      this.publisher.publish(own, [])
      this.put(own, wanted)
    }
    this.saving = this.saving.then(() => this.save(isHere))
  }

  private put({ zone }: ZoneSecret, wanted: readonly Wanted[]): void {
    const there = wanted.filter(({ own }) => equalBytes(own.zone, zone))
    const labels = new Set(there.map(({ label }) => label))
    for (const label of this.database.labels(zone))
      if (!labels.has(label)) this.database.remove(zone, label)
    for (const { label, records } of there) this.database.replace(zone, label, records)
    for (const { label, atMs } of this.left(zone))
      this.database.replace(zone, label, awayRecords({ atMs }))
    for (const label of this.database.labels(zone)) this.publisher.changed(zone, label)
  }

  private wanted(isHere: boolean): readonly Wanted[] {
    const { ties, relays, shared } = this.told()
    const here = isHere ? hereRecords({ pid: this.mesh.self, hubs: this.hubs() }) : awayRecords()
    return [
      ...ties.flatMap(({ own, bond, chain }) => [
        { own, label: bond.label('where', bond.own), records: here },
        { own, label: bond.label('mail', bond.own), records: mailRecords(relays, chain) },
      ]),
      ...(isHere ? shared.map(one => ({ ...one, records: here })) : []),
    ]
  }

  /** Who is no contact any more finds nothing from now on: what was said to them is covered until it expires. */
  private left(zone: ZoneKey): readonly { readonly label: string; readonly atMs: number }[] {
    return this.database
      .gone(zone)
      .map(({ label, expiry }) => ({ label, atMs: Number(expiry / 1_000n) }))
      .filter(({ atMs }) => atMs > this.context.clock.now() + COVER_MIN_MS)
  }

  private hubs(): readonly HubRecord[] {
    const { state, fleet } = this.context
    const { mesh } = this
    const up = new Set(
      mesh
        .status()
        .neighbours.filter(one => one.state === 'up')
        .map(({ peer }) => keyOf(peer)),
    )
    const own = mesh.hello()
    // Without addresses it is only the name of the peer.
    const self = own.includes('+tcp') ? [{ pid: mesh.self, hello: own }] : []
    const known = knownHubs(state, fleet).map(hello => ({ pid: helloPeer(hello), hello }))
    const isUp = ({ pid }: HubRecord) => up.has(keyOf(pid))
    return [...self, ...known.filter(isUp), ...known.filter(one => !isUp(one))].slice(0, HUBS_MAX)
  }

  private async save(isHere: boolean): Promise<void> {
    const { state, clock, log } = this.context
    const digest = digestOf(this.told())
    const expiries = Object.fromEntries(
      this.store
        .names()
        .filter(name => name.startsWith('gns-expiry.'))
        .map(name => [name, Buffer.from(this.store.get(name)!).toString('hex')]),
    )
    try {
      await state.exclusively(() => {
        // Another process may have said something as well: what is later counts.
        const merged = { ...readPublished(state).expiries }
        for (const [name, hex] of Object.entries(expiries))
          if (hex > (merged[name] ?? '')) merged[name] = hex
        const value: Published = { at: clock.now(), isHere, digest, expiries: merged }
        state.writeText(FILE, `${JSON.stringify(value)}\n`)
      })
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      log.note('warn', 'talk', 'presence not noted', { code: error.code })
    }
  }
}

const textOf = ({ type, data }: ZoneRecord): string =>
  `${type} ${Buffer.from(data).toString('base64')}`

const nameOf = ({ own, label }: OwnLabel): string => `${zoneToText(own.zone)} ${label}`

const digestOf = ({ ties, relays }: Told): string =>
  [...ties.map(({ bond }) => bond.label('mail', bond.own)), ...relays].join(' ')

function readPublished(state: State): Published {
  try {
    const { at, isHere, digest, expiries } = JSON.parse(state.readText(FILE) ?? '') as Published
    if (typeof at === 'number' && typeof digest === 'string')
      return { at, isHere, digest, expiries }
  } catch {
    // Nothing is lost: it is said again.
  }
  return { at: 0, isHere: false, digest: '', expiries: {} }
}
