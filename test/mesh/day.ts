/** What a day brings to a town: restarts, clean and not, power cuts, moves, clocks that are set, sessions. */

import type { BoxError } from '../../src/base/errors.ts'
import type { Channel } from '../../src/mesh/mesh.ts'
import { framed, Inbox } from '../compliance/mesh.ts'
import { End } from '../sim/connection.ts'
import { Machine } from '../sim/machine.ts'
import { Nat } from '../sim/nat.ts'
import { census } from './census.ts'
import type { Resident, Town } from './town.ts'

export const MINUTE = 60_000
export const HOUR = 60 * MINUTE
/** Neighbours' clocks may differ by five minutes (REKEY_TOLERANCE of GNUnet's CORE); those of hubs are right. */
const CLOCK_ERROR_MS = 4 * MINUTE
/** Beyond that a device is not reachable until its clock is set. */
const CLOCK_LOST_MS = 48 * HOUR
/** Trouble comes in this part of an hour; whoever is away is back before the next. */
const TROUBLE_MS = 40 * MINUTE
/** Then the town has so long to come to rest. */
const REST_MS = 15 * MINUTE
/** The probability that something happens to a resident in an hour. */
const TROUBLE_CHANCE = 0.3
const AWAY_MS = [1_000, 20_000, 5 * MINUTE] as const
/** Whoever should be reachable is reached within. */
const REACH_MS = 10_000
const SESSIONS_AN_HOUR = 5

/** A channel that stays open as long as it can. */
interface Session {
  readonly between: string
  readonly since: number
  /** Whether the program that opened it still runs. */
  readonly isOpened: () => boolean
  readonly channel: Channel
  readonly inbox: Inbox
}

export interface Reached {
  readonly from: string
  readonly to: string
  readonly by: 'pid' | 'name'
  /** Milliseconds; or what went wrong. */
  readonly took: number | string
}

export class Day {
  readonly town: Town
  /** How often each kind of trouble came. */
  readonly troubles = new Map<string, number>()
  private readonly sessions: Session[] = []
  /** What is to happen, soonest first. */
  private readonly agenda: { readonly at: number; does(): Promise<void> }[] = []
  private readonly wrongBy = new Map<Machine, number>()

  constructor(town: Town) {
    this.town = town
    for (const { machine } of town.devices) this.setClock(machine)
  }

  /** One hour, to its last minutes of rest. */
  async hour(): Promise<void> {
    const { world, residents } = this.town
    const { random } = world
    const until = world.now() + TROUBLE_MS
    for (const resident of residents)
      if (random.chance(TROUBLE_CHANCE))
        this.plan(random.below(TROUBLE_MS), () => this.trouble(resident))
    for (let i = 0; i < SESSIONS_AN_HOUR; i++)
      this.plan(random.below(TROUBLE_MS), () => this.session())
    for (let next = this.agenda.shift(); next; next = this.agenda.shift()) {
      world.run(Math.max(0, next.at - world.now()))
      await next.does()
    }
    world.run(Math.max(0, until - world.now()))
    world.run(REST_MS)
  }

  /** Every resident as seen from another, by its pid and by its name. */
  async reachAll(): Promise<Reached[]> {
    const { town } = this
    const reached: Reached[] = []
    for (const to of town.residents) {
      const from = town.world.random.pick(town.devices.filter(other => other !== to))
      for (const by of ['pid', 'name'] as const) {
        const took = await town.reach(from, to, by, REACH_MS).catch((error: Error) => error.message)
        reached.push({ from: from.name, to: to.name, by, took })
      }
    }
    return reached
  }

  /**
   * Says a word on every channel that is still open. Those of which nothing was heard `ms` later: neither
   * the echo, nor that the channel has ended.
   */
  async silentSessions(ms: number): Promise<string[]> {
    const { world } = this.town
    const word = framed(world.random.bytes(8))
    const alive = this.sessions.filter(({ isOpened }) => isOpened())
    for (const { channel } of alive) channel.send(word)
    world.run(ms)
    await world.pass(0)
    const silent = alive.filter(({ inbox }) => inbox.reason === null && inbox.messages.length === 0)
    for (const { inbox } of alive) inbox.messages.length = 0
    const open = alive.filter(({ inbox }) => inbox.reason === null)
    this.sessions.splice(0, this.sessions.length, ...open)
    return silent.map(({ between, since }) => `${between}, open for ${world.now() - since} ms`)
  }

  /** What all programs and disks of the town keep, by where it is kept. */
  keeps(): Map<string, number> {
    const roots = this.town.residents.flatMap(({ programs }) => (programs ? [programs] : []))
    const isWorld = (value: object) =>
      value instanceof Machine || value instanceof End || value instanceof Nat
    const counts = census(roots, isWorld)
    const { world, residents } = this.town
    const stores = residents.map(({ machine: { store } }) => store)
    counts.set('events that wait', world.pending)
    counts.set(
      'values on disk',
      stores.reduce((sum, store) => sum + store.names().length, 0),
    )
    return counts
  }

  async end(): Promise<void> {
    for (const { channel } of this.sessions) channel.close()
    await this.town.close()
  }

  private async trouble(resident: Resident): Promise<void> {
    const { world } = this.town
    const { random } = world
    if (!resident.programs) return
    const kinds = resident.isHub
      ? ['restarted', 'killed', 'no power']
      : ['restarted', 'killed', 'no power', 'moved', 'clock set', 'clock lost']
    const kind = random.pick(kinds)
    this.troubles.set(kind, (this.troubles.get(kind) ?? 0) + 1)
    if (kind === 'moved') {
      resident.machine.move(this.town.nat())
      return
    }
    if (kind === 'clock set' || kind === 'clock lost') {
      const { machine } = resident
      const wrongMs = kind === 'clock lost' ? random.below(2 * CLOCK_LOST_MS) - CLOCK_LOST_MS : 0
      machine.jumpClock(wrongMs)
      this.plan(random.below(random.pick(AWAY_MS)), async () => {
        machine.jumpClock(-wrongMs)
        this.setClock(machine)
      })
      return
    }
    if (kind === 'restarted') await resident.stop()
    else resident.die(kind as 'killed' | 'no power')
    this.plan(random.below(random.pick(AWAY_MS)), () => resident.comeBack())
  }

  /** What is to happen, in so many milliseconds from now. */
  private plan(ms: number, does: () => Promise<void>): void {
    this.agenda.push({ at: this.town.world.now() + ms, does })
    this.agenda.sort((a, b) => a.at - b.at)
  }

  /** Somebody opens a channel and leaves it open; the oldest is closed. */
  private async session(): Promise<void> {
    const { town } = this
    const { random } = town.world
    const running = town.devices.filter(({ programs }) => programs !== null)
    const [from, to] = [random.pick(running), random.pick(running)]
    if (from === to) return
    const opening = town.world.until(town.open(from, to, 'name'), 60_000)
    const channel = await opening.catch((_: BoxError) => null)
    if (!channel) return
    const inbox = new Inbox()
    channel.attach(inbox)
    const between = `${from.name} and ${to.name}`
    const { programs } = from
    const isOpened = () => from.programs === programs
    this.sessions.push({ between, since: town.world.now(), isOpened, channel, inbox })
    if (this.sessions.length > SESSIONS_AN_HOUR) this.sessions.shift()!.channel.close()
  }

  /** Sets the clock anew, wrongly. */
  private setClock(machine: Machine): void {
    const before = this.wrongBy.get(machine) ?? 0
    const wrong = this.town.world.random.below(2 * CLOCK_ERROR_MS) - CLOCK_ERROR_MS
    machine.jumpClock(wrong - before)
    this.wrongBy.set(machine, wrong)
  }
}
