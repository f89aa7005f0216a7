/**
 * From a name to records, zone by zone (RFC 9498 section 7). Names in our own zones are answered from
 * the zone database; everything else comes from the DHT, and every block is verified here, whoever
 * delivered it. Zones that were revoked are not known to be: revocation is not implemented.
 */

import type { Clock } from '../base/clock.ts'
import type { Counters } from '../base/counters.ts'
import { BoxError } from '../base/errors.ts'
import type { ZoneKey } from '../base/ids.ts'
import type { Mesh } from '../mesh/mesh.ts'
import { Lookup } from './lookup.ts'
import { formatName, type Name, parseName } from './name.ts'
import { isSupplemental, RECORD_FLAG, RECORD_TYPE, type ResourceRecord } from './record.ts'
import { text } from './record-data.ts'
import { typeName } from './record-text.ts'
import type { Revocations } from './revocations.ts'
import { type DnsTarget, type Step, Walk } from './walk.ts'
import type { ZoneDatabase } from './zone.ts'

/** Enough for a slow mesh to answer for each of a few labels; people do not wait longer. */
const TIMEOUT_MS = 10_000
/** RFC 9498 section 7.3.2: the LEHO made up for a name that went on in the DNS lasts an hour. */
const LEHO_MS = 3_600_000

/** Whom to ask about names that lead into the DNS. */
export interface Dns {
  /**
   * Records of `type` at `name`, asked of `servers` (addresses or host names; empty: the system's).
   * Empty where there are none. Fails with a BoxError, or the reason of the signal.
   */
  lookup(
    name: string,
    type: number | 'any',
    servers: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly ResourceRecord[]>
}

export interface ResolverOptions {
  readonly mesh: Pick<Mesh, 'dht'>
  readonly clock: Clock
  /** The zone a suffix stands for (normalised, `home` or `gns.alt`): egos first, then the configured table. */
  readonly zones: (suffix: string) => ZoneKey | null
  readonly database: ZoneDatabase
  readonly dns?: Dns
  /** Which zones are revoked, and whom to ask; absent: nobody is asked. */
  readonly revocations?: Pick<Revocations, 'isRevoked' | 'ask' | 'decided'>
}

export interface ResolveOptions {
  readonly signal?: AbortSignal
  readonly timeoutMs?: number
  /** Asks the mesh even where the cache could answer: for records that turned out to be outdated. */
  readonly fresh?: boolean
}

export interface Resolution {
  /** What holds now, of the type that was asked for; a VPN record stands in for addresses. Never empty. */
  readonly records: readonly ResourceRecord[]
  /** What is given along: NICK, LEHO, and whatever is marked supplemental. */
  readonly supplemental: readonly ResourceRecord[]
  /** Where the records lie in the end. */
  readonly zone: ZoneKey
  readonly label: string
  /** Each label that was looked up, in order; the last is `zone` and `label`. */
  readonly chain: readonly Step[]
  /** The name that was asked of the DNS; null where the records are from GNS. */
  readonly dns: DnsTarget | null
  /** Whether nothing had to be fetched: all was in the cache or in our own zones. */
  readonly fromCache: boolean
  readonly ms: number
}

export class Resolver {
  private readonly options: ResolverOptions
  private readonly lookup: Lookup

  constructor(options: ResolverOptions) {
    this.options = options
    this.lookup = new Lookup({ ...options, dht: options.mesh.dht })
  }

  /** Counted events: blocks that were refused, by reason. */
  get counters(): Counters {
    return this.lookup.counters
  }

  /**
   * Fails with NAME_INVALID, NAME_UNKNOWN (an authority says so), PEER_TIMEOUT (nobody answered in time),
   * NAME_LOOP, NAME_IN_DNS, ZONE_REVOKED, RECORD_UNSUPPORTED, WIRE_MALFORMED, ENGINE_CLOSED, or the reason of the signal.
   */
  async resolve(
    name: string | Name,
    type: number | 'any',
    options: ResolveOptions = {},
  ): Promise<Resolution> {
    const { signal, timeoutMs = TIMEOUT_MS, fresh = false } = options
    signal?.throwIfAborted()
    const parsed = typeof name === 'string' ? parseName(name) : name
    const { clock } = this.options
    const ending = new AbortController()
    const timer = clock.after(timeoutMs, () => {
      const who = walk.chain.at(-1)?.label ?? ''
      const why = `Nobody answered for ${who} of ${formatName(parsed)} in ${timeoutMs / 1_000} s.`
      ending.abort(new BoxError('PEER_TIMEOUT', why))
    })
    const abort = () => ending.abort(signal?.reason)
    signal?.addEventListener('abort', abort, { once: true })
    const walk = new Walk({
      ...this.options,
      lookup: this.lookup,
      type,
      fresh,
      signal: ending.signal,
    })
    try {
      return await this.finish(walk, parsed, type, ending.signal)
    } finally {
      timer.cancel()
      signal?.removeEventListener('abort', abort)
    }
  }

  /** Ends every question; resolutions under way fail with ENGINE_CLOSED. */
  close(): void {
    this.lookup.close()
  }

  private async finish(
    walk: Walk,
    name: Name,
    type: number | 'any',
    signal: AbortSignal,
  ): Promise<Resolution> {
    const began = this.options.clock.elapsed()
    const end = await walk.follow(name)
    const dns = end.is === 'dns' ? end.dns : null
    const all = end.is === 'records' ? end.records : await this.askDns(end.dns, type, signal)
    const records = chosen(all, type)
    if (records.length === 0)
      throw new BoxError('NAME_UNKNOWN', `${formatName(name)} has no ${wanted(type)} record.`)
    const { zone, label } = walk.chain.at(-1)!
    return {
      records,
      supplemental: all.filter(record => !records.includes(record) && isBeside(record)),
      zone,
      label,
      chain: walk.chain,
      dns,
      fromCache: walk.isLocal && !dns,
      ms: this.options.clock.elapsed() - began,
    }
  }

  private async askDns(
    { name, servers }: DnsTarget,
    type: number | 'any',
    signal: AbortSignal,
  ): Promise<readonly ResourceRecord[]> {
    const { dns, clock } = this.options
    if (!dns) {
      const at = servers.length > 0 ? `, to be asked of ${servers.join(', ')}` : ''
      throw new BoxError('NAME_IN_DNS', `It is ${name} there${at}.`)
    }
    const records = await dns.lookup(name, type, servers, signal)
    signal.throwIfAborted()
    const leho: ResourceRecord = {
      type: RECORD_TYPE.LEHO,
      data: text.encode(name),
      flags: RECORD_FLAG.supplemental,
      expiresAt: clock.now() + LEHO_MS,
    }
    return [...records, leho]
  }
}

const wanted = (type: number | 'any'): string => (type === 'any' ? 'own' : typeName(type))

/** Those of the type; supplemental ones only where there is no other, and never a NICK (RFC 9498 section 7.3.5). */
function chosen(
  records: readonly ResourceRecord[],
  type: number | 'any',
): readonly ResourceRecord[] {
  const isAddress = type === RECORD_TYPE.A || type === RECORD_TYPE.AAAA
  const fits = (record: ResourceRecord) =>
    type === 'any' || record.type === type || (isAddress && record.type === RECORD_TYPE.VPN)
  const main = records.filter(record => fits(record) && !isSupplemental(record))
  if (main.length > 0 || type === 'any') return main
  return records.filter(record => fits(record) && record.type !== RECORD_TYPE.NICK)
}

const isBeside = (record: ResourceRecord): boolean =>
  isSupplemental(record) || record.type === RECORD_TYPE.NICK || record.type === RECORD_TYPE.LEHO
