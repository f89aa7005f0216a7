/**
 * The place `@status` of the device: its state is what the device knows about itself. Whoever has the right
 * `status` gets all of it with one request, then what changes, while it changes enough to matter.
 *
 * The place is made anew with each start of the agent and kept in memory: it costs no writes to flash.
 */

import { equalBytes } from '../src/base/bytes.ts'
import type { Clock, Timer } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import type { Log } from '../src/base/log.ts'
import type { Random } from '../src/base/random.ts'
import { memoryStore } from '../src/base/store.ts'
import type { Session } from '../src/box/handshake.ts'
import { SigningKey } from '../src/crypto/signing.ts'
import type { Mesh } from '../src/mesh/mesh.ts'
import { forgetfulLedger } from '../src/psyc/history.ts'
import { PlaceDoor } from '../src/psyc/place-door.ts'
import { PlaceHost } from '../src/psyc/place-host.ts'
import { difference } from '../src/psyc/state.ts'
import { type Figures, variablesOf } from './probes.ts'

/** A look takes a millisecond. */
const LOOK_MS = 10_000
/** While somebody follows: what changes is seen within two seconds, with the way there. */
const FOLLOWED_LOOK_MS = 1_500
/** Traffic counters always change; they are sent at most so often. */
const COUNTERS_MS = 60_000
/** What is said anyway after so long, however little it changed. */
const EVERYTHING_MS = 15 * 60_000
/** Owners and those they share with, all directly: a status is small. */
const FANOUT = 64
const HISTORY_SIZE = 512 * 1_024
const SEED_SIZE = 32
/** Nobody cares for less between the clocks of people's machines. */
const CLOCK_STEP_MS = 50
/** What changes all the time. */
const COUNTERS = ['_dict_interfaces_received', '_dict_interfaces_sent']

export interface StatusOptions {
  readonly mesh: Mesh
  readonly device: ZoneKey
  readonly name: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly allows: (zone: ZoneKey) => boolean
  readonly look: () => Figures
  /** Somebody who may see it has come, and may have said what time it is. */
  readonly met: (session: Session) => void
}

export class StatusPlace {
  /** What those who prove themselves are told: the key of the place. */
  readonly key: Uint8Array
  private readonly options: StatusOptions
  private readonly host: PlaceHost
  private readonly door: PlaceDoor
  private timer: Timer
  private told: Figures | null = null
  private variables: ReadonlyMap<string, Uint8Array> = new Map()
  private countersAt = -Infinity
  private everythingAt = -Infinity

  constructor(options: StatusOptions) {
    const { mesh, device, clock, random, allows } = options
    this.options = options
    const key = SigningKey.fromSeed(random.bytes(SEED_SIZE))
    this.key = key.publicKey
    this.host = new PlaceHost({
      ...{ key, clock, random, fanout: FANOUT, historySize: HISTORY_SIZE },
      ...{ store: memoryStore(), name: 'status', ledger: forgetfulLedger },
      self: { peer: mesh.self, zone: device },
      rules: { isHistoryOpen: false, announcesMembers: false },
    })
    this.door = new PlaceDoor({
      ...{ host: this.host, clock },
      door: ({ zone }, decide) => decide(allows(zone)),
      relayRules: new Map(),
    })
    this.timer = clock.after(LOOK_MS, () => this.again())
    this.publish()
  }

  /** Somebody who has proven who it is. */
  serve(session: Session): void {
    const { peerZone: zone, channel } = session
    this.options.met(session)
    this.publish()
    this.timer.cancel()
    this.timer = this.options.clock.after(FOLLOWED_LOOK_MS, () => this.again())
    this.door.accept({ zone, channel })
  }

  /** Puts out those whose right has ended. */
  review(): void {
    for (const zone of this.host.zones()) if (!this.options.allows(zone)) this.host.dismiss(zone)
  }

  close(): void {
    this.timer.cancel()
    this.door.close()
    this.host.close()
  }

  private again(): void {
    this.review()
    const isFollowed = this.host.zones().length > 0
    const waitMs = isFollowed ? FOLLOWED_LOOK_MS : LOOK_MS
    this.timer = this.options.clock.after(waitMs, () => this.again())
    this.publish()
  }

  /** Says what has changed enough. */
  private publish(): void {
    const { look, name, clock, log } = this.options
    const now = clock.elapsed()
    const isEverythingDue = now - this.everythingAt >= EVERYTHING_MS
    const figures = settled(isEverythingDue ? null : this.told, look())
    const variables = variablesOf(figures, name)
    const areCountersDue = now - this.countersAt >= COUNTERS_MS
    if (!areCountersDue) keepOld(variables, this.variables)
    const entity = difference(this.variables, variables, equalBytes)
    if (areCountersDue) this.countersAt = now
    if (isEverythingDue) this.everythingAt = now
    try {
      if (entity.length > 0) this.host.announce({ method: '_notice_update_status', entity })
      this.told = figures
      this.variables = variables
    } catch (error) {
      // A disk or an interface with a name that makes no value: the rest of the agent goes on.
      if (!(error instanceof BoxError)) throw error
      log.note('warn', 'status', 'not published', { code: error.code })
    }
  }
}

/** The counters as they were told last, where there are any. */
function keepOld(
  variables: Map<string, Uint8Array>,
  before: ReadonlyMap<string, Uint8Array>,
): void {
  for (const name of COUNTERS) {
    const old = before.get(name)
    if (old) variables.set(name, old)
  }
}

/** The new figures, but the told ones where the difference says nothing. */
export function settled(told: Figures | null, now: Figures): Figures {
  if (!told) return now
  const { memory } = now
  const isMemorySame =
    told.memory && memory && memory.total === told.memory.total
      ? near(told.memory.available, memory.available, memory.total / 50)
      : false
  const isBootSame =
    told.bootedAt !== null && now.bootedAt !== null && near(told.bootedAt, now.bootedAt, 5_000)
  const isLoadSame =
    told.load !== null &&
    now.load !== null &&
    near(told.load, now.load, Math.max(10, told.load / 5))
  return {
    ...now,
    load: isLoadSame ? told.load : now.load,
    memory: isMemorySame ? told.memory : memory,
    bootedAt: isBootSame ? told.bootedAt : now.bootedAt,
    disks: settledEach(
      told.disks,
      now.disks,
      (a, b) => a.total === b.total && near(a.used, b.used, b.total / 100),
    ),
    temperatures: settledEach(told.temperatures, now.temperatures, (a, b) => near(a, b, 2_000)),
    clock: settledClock(told.clock, now.clock),
  }
}

/** It is known better or worse all the time, and moves by less than that. */
function settledClock(told: Figures['clock'], now: Figures['clock']): Figures['clock'] {
  if (!told || !now) return now
  const isSame =
    near(told.offsetMs, now.offsetMs, Math.max(CLOCK_STEP_MS, now.errorMs)) &&
    near(told.errorMs, now.errorMs, Math.max(CLOCK_STEP_MS, told.errorMs / 2))
  return isSame ? told : now
}

const near = (a: number, b: number, by: number): boolean => Math.abs(a - b) < by

function settledEach<T>(
  told: ReadonlyMap<string, T>,
  now: ReadonlyMap<string, T>,
  same: (a: T, b: T) => boolean,
): Map<string, T> {
  return new Map(
    [...now].map(([key, value]) => {
      const old = told.get(key)
      return [key, old !== undefined && same(old, value) ? old : value]
    }),
  )
}
