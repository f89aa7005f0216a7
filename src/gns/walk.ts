/**
 * One resolution under way: label by label, zone by zone, to the records at the end of the name
 * (RFC 9498 section 7.3). Bounded in steps and in time; a name that comes back to where it was is a loop.
 */

import { keyOf } from '../base/bytes.ts'
import { BoxError } from '../base/errors.ts'
import type { ZoneKey } from '../base/ids.ts'
import { WireError } from '../wire/layout.ts'
import { parseIpv4, parseIpv6 } from './address-text.ts'
import type { Lookup } from './lookup.ts'
import { APEX, formatName, type Name, zoneToText } from './name.ts'
import {
  isDelegation,
  isSupplemental,
  RECORD_FLAG,
  RECORD_TYPE,
  type ResourceRecord,
} from './record.ts'
import { a, aaaa, box, gns2dns, readDelegation } from './record-data.ts'
import { isRedirect } from './record-set.ts'
import { recordText, typeName } from './record-text.ts'
import type { Revocations } from './revocations.ts'
import { type Service, serviceOf } from './services.ts'
import { nameAt, redirectTarget, settled } from './target.ts'

/** Labels looked up for one name, redirections and name servers included. Real names take two or three. */
const STEPS_MAX = 48
/** A set has few of them; each may take a resolution of its own. */
const DNS_SERVERS_MAX = 8
const TYPE_DS = 43

/** A label that was looked up in a zone on the way. */
export interface Step {
  readonly zone: ZoneKey
  readonly label: string
}

/** A name that goes on in the DNS. */
export interface DnsTarget {
  readonly name: string
  /** IP addresses or host names; empty: whatever the system asks. */
  readonly servers: readonly string[]
}

/** Where the name ended. */
export type End =
  | { readonly is: 'records'; readonly records: readonly ResourceRecord[] }
  | { readonly is: 'dns'; readonly dns: DnsTarget }

export interface WalkOptions {
  readonly lookup: Lookup
  readonly zones: (suffix: string) => ZoneKey | null
  readonly type: number | 'any'
  readonly fresh: boolean
  readonly signal: AbortSignal
  readonly revocations?: Pick<Revocations, 'isRevoked' | 'ask' | 'decided'>
}

/** A place on the way: labels still to look up, the next at the right. */
interface Place {
  readonly zone: ZoneKey
  readonly labels: readonly string[]
}

export class Walk {
  readonly chain: Step[] = []
  /** Whether every answer was here already. */
  isLocal = true
  private readonly options: WalkOptions
  private readonly seen: Set<string>
  /** Shared with the walks to name servers, so that they cannot multiply. */
  private readonly budget: { left: number }

  constructor(options: WalkOptions, from: Walk | null = null) {
    this.options = options
    this.seen = new Set(from?.seen)
    this.budget = from?.budget ?? { left: STEPS_MAX }
  }

  /** Follows the name to its end. */
  async follow(name: Name): Promise<End> {
    let at = startOf(name, this.options.zones)
    if (!at) throw new BoxError('NAME_UNKNOWN', `${formatName(name)} ends in no zone known here.`)
    for (;;) {
      const next: Place | End = await this.step(at)
      if ('is' in next) return next
      at = next
    }
  }

  private async step({ zone, labels }: Place): Promise<Place | End> {
    const isService = serviceOf(labels) !== null
    const label = isService ? APEX : (labels.at(-1) ?? APEX)
    const rest = isService ? labels : labels.slice(0, -1)
    this.admit(zone, label, rest)
    const { lookup, fresh, signal, type, revocations } = this.options
    this.mustHold(zone)
    revocations?.ask(zone)
    const set = await lookup.find(zone, label, fresh, signal)
    // Asked at the same time: what has come by now counts, once it is found to be right.
    await revocations?.decided(zone, signal)
    this.mustHold(zone)
    if (set.from === 'mesh') this.isLocal = false
    for (const record of set.records) this.mustUnderstand(record)
    const main = set.records.filter(record => !isSupplemental(record))
    const [lead] = main
    if (!lead) throw new BoxError('NAME_UNKNOWN', `${label} has no records.`)
    const isWanted = rest.length === 0 && type === lead.type
    if (isRedirect(lead) && !isWanted && isAlone(main)) return this.redirect(lead, zone, rest)
    if (leadsToDns(main) && !isWanted)
      return { is: 'dns', dns: await this.dnsTarget(main, zone, rest) }
    const service = serviceOf(rest)
    const boxed = service ? unbox(main, service) : []
    if (boxed.length > 0) return this.end(boxed, zone)
    if (isDelegation(lead) && label !== APEX && !isWanted && isAlone(main))
      return { zone: readable(() => readDelegation(lead.type, lead.data)), labels: rest }
    if (rest.length === 0) return this.end(set.records, zone)
    throw new BoxError('NAME_UNKNOWN', `${label} leads to no ${rest.join('.')}.`)
  }

  /** RFC 9498 section 7.3: nothing in a revoked zone is resolved. */
  private mustHold(zone: ZoneKey): void {
    if (this.options.revocations?.isRevoked(zone))
      throw new BoxError('ZONE_REVOKED', `It is ${zoneToText(zone)}.`)
  }

  private admit(zone: ZoneKey, label: string, rest: readonly string[]): void {
    const place = `${keyOf(zone)}${[...rest, label].join('.')}`
    if (this.seen.has(place) || --this.budget.left < 0)
      throw new BoxError('NAME_LOOP', `It comes back to ${label}, or takes too many steps.`)
    this.seen.add(place)
    this.chain.push({ zone, label })
  }

  /** A critical record that nobody here understands must not be passed over. */
  private mustUnderstand({ type, flags }: ResourceRecord): void {
    const isKnown = Object.values<number>(RECORD_TYPE).includes(type) || type === TYPE_DS
    if ((flags & RECORD_FLAG.critical) === 0 || isKnown || type === this.options.type) return
    throw new BoxError('RECORD_UNSUPPORTED', typeName(type))
  }

  private end(records: readonly ResourceRecord[], zone: ZoneKey): End {
    return { is: 'records', records: records.map(record => settled(record, zone)) }
  }

  private redirect(record: ResourceRecord, zone: ZoneKey, rest: readonly string[]): Place | End {
    const { name, text } = redirectTarget(record, zone, rest)
    const place = startOf(name, this.options.zones)
    return place ?? { is: 'dns', dns: { name: text, servers: [] } }
  }

  private async dnsTarget(
    records: readonly ResourceRecord[],
    zone: ZoneKey,
    rest: readonly string[],
  ): Promise<DnsTarget> {
    const values = records
      .filter(({ type }) => type === RECORD_TYPE.GNS2DNS)
      .map(({ data }) => readable(() => gns2dns.decode(data)))
    // Different names under one label have no meaning; the first counts, as in gnunet-service-gns.
    const name = values[0]!.name
    const servers = values.filter(value => value.name === name).slice(0, DNS_SERVERS_MAX)
    const found = await Promise.allSettled(servers.map(({ server }) => this.server(server, zone)))
    const addresses = found.flatMap(one => (one.status === 'fulfilled' ? one.value : []))
    const [failed] = found.filter(one => one.status === 'rejected')
    if (addresses.length === 0 && failed) throw failed.reason
    return { name: [...rest, name].join('.'), servers: addresses }
  }

  /** A name server is an address, a name in GNS, or a host name for the DNS. */
  private async server(server: string, zone: ZoneKey): Promise<readonly string[]> {
    if (parseIpv4(server) || parseIpv6(server)) return [server]
    const { name } = readable(() => nameAt(server, zone, []))
    if (!name.zone) return [server]
    const walk = new Walk({ ...this.options, type: 'any' }, this)
    const end = await walk.follow(name)
    if (!walk.isLocal) this.isLocal = false
    if (end.is === 'dns') return [end.dns.name]
    return end.records.flatMap(({ type, data }) =>
      (type === RECORD_TYPE.A && data.length === 4) ||
      (type === RECORD_TYPE.AAAA && data.length === 16)
        ? recordText(type, (type === RECORD_TYPE.A ? a : aaaa).decode(data))
        : [],
    )
  }
}

/** The zone a name begins in, and the labels it still has; null where nobody here knows it. */
export function startOf(
  { labels, zone }: Name,
  zones: (suffix: string) => ZoneKey | null,
): Place | null {
  if (zone) return { zone, labels }
  for (let at = 0; at < labels.length; at++) {
    const start = zones(labels.slice(at).join('.'))
    if (start) return { zone: start, labels: labels.slice(0, at) }
  }
  return null
}

/** Several are a mistake of the zone's owner; there is no telling which one is meant. */
function isAlone(main: readonly ResourceRecord[]): boolean {
  if (main.length === 1) return true
  throw new BoxError('WIRE_MALFORMED', 'A delegation or redirection is not the only record.')
}

const leadsToDns = (main: readonly ResourceRecord[]): boolean =>
  main.some(({ type }) => type === RECORD_TYPE.GNS2DNS) &&
  main.every(({ type }) => type === RECORD_TYPE.GNS2DNS || type === TYPE_DS)

/** What the BOX records of this service hold. */
function unbox(records: readonly ResourceRecord[], { protocol, service }: Service) {
  return records.flatMap(record => {
    if (record.type !== RECORD_TYPE.BOX) return []
    const inner = readable(() => box.decode(record.data))
    if (inner.protocol !== protocol || inner.service !== service) return []
    return [{ ...record, type: inner.type, data: inner.data }]
  })
}

/** What somebody else published may be anything; that is their fault, and a name that does not resolve. */
function readable<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof WireError || cause instanceof BoxError)
      throw new BoxError('WIRE_MALFORMED', 'A record on the way cannot be read.', cause)
    throw cause
  }
}
