/**
 * Whether a parcel from a neighbour is what it claims to be: not expired, valid for its type, under its
 * own key, signed. Everything costs the neighbour allowance; signatures that were right are remembered.
 */

import { equalBytes, keyOf } from '../../base/bytes.ts'
import type { Clock } from '../../base/clock.ts'
import { toMs } from '../../wire/time.ts'
import type { Allowance } from './allowance.ts'
import { BLOCK, type BlockFacts, readBlock } from './blocks.ts'
import { isRecorded, type Parcel } from './parcel.ts'

/** Ours: blocks are seen several times within minutes, on several ways and as put and result. */
const PROVEN_MAX = 2_048

/** Ours: each copy of a block whose route is recorded must be signed before it goes on. */
const ROUTE_COST = 2

/** Why a parcel is dropped; a part of the name of the counter. */
export type Fault = 'any_type' | 'expired' | 'wrong_key' | 'over_allowance' | 'bad_signature'

export class Judge {
  private readonly clock: Clock
  /** Blocks that were found signed, oldest first. */
  private readonly proven = new Set<string>()

  constructor(clock: Clock) {
    this.clock = clock
  }

  /**
   * The facts of the block, or what is wrong. `key` is what it must be stored under where its type
   * tells; null where it answers a question for something near. Throws WireError on a malformed block.
   */
  judge(parcel: Parcel, key: Uint8Array | null, allowance: Allowance): BlockFacts | Fault {
    if (parcel.blockType === BLOCK.any) return 'any_type'
    if (isRecorded(parcel) && !allowance.take(ROUTE_COST)) return 'over_allowance'
    const now = this.clock.now()
    if (toMs(parcel.expiry) <= now) return 'expired'
    const facts = readBlock(parcel.blockType, parcel.data, parcel.dataHash)
    if (facts.expiresAt <= now) return 'expired'
    if (key && facts.key && !equalBytes(facts.key, key)) return 'wrong_key'
    if (facts.proofCost === 0) return facts
    return this.prove(`${parcel.blockType} ${keyOf(parcel.dataHash)}`, facts, allowance)
  }

  private prove(name: string, facts: BlockFacts, allowance: Allowance): BlockFacts | Fault {
    if (this.proven.has(name)) return facts
    if (!allowance.take(facts.proofCost)) return 'over_allowance'
    if (!facts.isProven()) return 'bad_signature'
    const [oldest] = this.proven
    if (this.proven.size >= PROVEN_MAX) this.proven.delete(oldest!)
    this.proven.add(name)
    return facts
  }
}
