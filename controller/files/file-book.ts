/**
 * The files of this controller that have to do with others: those it hands out, and those it has fetched or is fetching,
 * each with its offer, who may have it, and where it lies. Encrypted as what was said is. Each change reads it again
 * under the lock of the state directory and replaces it as a whole.
 */

import { join } from 'node:path'
import { equalBytes } from '../../src/base/bytes.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import { zoneFromText, zoneToText } from '../../src/gns/name.ts'
import { FILE_KEY_SIZE, type FileOffer, offerId } from '../../src/social/file-offer.ts'
import { HASH_SIZE } from '../../src/social/file-tree.ts'
import type { SealedState } from '../talk/sealed-state.ts'
import { removeCopy } from './copies.ts'

const FILE = 'files'
const VERSION = 1
/** Each is a port that is listened on, and a label that is published while `box up` runs. */
const HELD_MAX = 128

/** Who may have a file. */
export type Circle =
  | { readonly is: 'contact'; readonly zone: ZoneKey }
  | { readonly is: 'room'; readonly place: Uint8Array }

/** What of a file that we offer lies with a relay of theirs. */
export type AtRelay =
  /** It was said not to leave it there. */
  | { readonly is: 'never' }
  /** `gone`: it was whole and is there no more, since they have it. */
  | {
      readonly is: 'begun' | 'whole' | 'gone'
      readonly zone: ZoneKey
      /** Milliseconds since 1970: the relay keeps it no longer. */
      readonly until: number
    }

export interface HeldFile {
  readonly offer: FileOffer
  readonly circle: Circle
  /** Who offers it; null: we do. */
  readonly by: ZoneKey | null
  /** Where it lies, or shall lie once all has come. */
  readonly path: string
  readonly isWhole: boolean
  /** Milliseconds since 1970: since when we have to do with it. */
  readonly at: number
  /** Those who said to have all of it, from us. */
  readonly takenBy: readonly ZoneKey[]
  /** Null: nothing, as far as we know. */
  readonly relay: AtRelay | null
}

export class FileBook {
  private readonly sealed: SealedState

  constructor(sealed: SealedState) {
    this.sealed = sealed
  }

  /** Throws STATE_UNREADABLE. */
  read(): readonly HeldFile[] {
    const value = this.sealed.read(FILE)
    if (value === null) return []
    try {
      return heldIn(value)
    } catch (cause) {
      throw new BoxError('STATE_UNREADABLE', `The list of files (${FILE}) is damaged.`, cause)
    }
  }

  find(id: string): HeldFile | null {
    return this.read().find(({ offer }) => offerId(offer) === id) ?? null
  }

  /** Where the tree of hashes of a file is. */
  treePath(id: string): string {
    return join(this.sealed.state.directory, nameOfTree(id))
  }

  /** Takes one in, or what is known of it now. Throws INPUT_INVALID where there are too many. */
  async keep(held: HeldFile): Promise<void> {
    const id = offerId(held.offer)
    await this.change(all => {
      const others = all.filter(({ offer }) => offerId(offer) !== id)
      if (others.length >= HELD_MAX)
        throw new BoxError('INPUT_INVALID', `There are ${HELD_MAX} files already: box files rm.`)
      return [...others, held]
    })
  }

  /** Somebody has fetched it from us. */
  async taken(id: string, by: ZoneKey): Promise<void> {
    await this.change(all =>
      all.map(held => {
        const isNew = offerId(held.offer) === id && !held.takenBy.some(one => equalBytes(one, by))
        return isNew ? { ...held, takenBy: [...held.takenBy, by] } : held
      }),
    )
  }

  /** So much of it lies with a relay now. */
  async lies(id: string, relay: AtRelay | null): Promise<void> {
    await this.change(all =>
      all.map(held => (offerId(held.offer) === id ? { ...held, relay } : held)),
    )
  }

  /** Hands it out no longer, and knows nothing of where it lies; the file itself stays, unless it is a copy of ours. */
  async forget(id: string): Promise<void> {
    const held = this.find(id)
    await this.change(all => all.filter(({ offer }) => offerId(offer) !== id))
    this.sealed.state.remove(nameOfTree(id))
    if (held) removeCopy(this.sealed.state, held.path)
  }

  private async change(edit: (all: readonly HeldFile[]) => readonly HeldFile[]): Promise<void> {
    await this.sealed.state.exclusively(() => {
      this.sealed.write(FILE, { version: VERSION, files: edit(this.read()).map(heldJson) })
    })
  }
}

/** Hidden: no backup takes what can be made again, and may be large. */
const nameOfTree = (id: string): string => `.file-${id}.tree`

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')

const heldJson = ({ offer, circle, by, takenBy, relay, ...rest }: HeldFile): object => ({
  ...rest,
  offer: { ...offer, root: text(offer.root), key: text(offer.key) },
  circle:
    circle.is === 'contact'
      ? { is: circle.is, zone: zoneToText(circle.zone) }
      : { is: circle.is, place: text(circle.place) },
  by: by && zoneToText(by),
  takenBy: takenBy.map(zoneToText),
  relay: relay && (relay.is === 'never' ? relay : { ...relay, zone: zoneToText(relay.zone) }),
})

/** Throws where anything is not as `heldJson` makes it. */
function heldIn(value: unknown): readonly HeldFile[] {
  const { version, files } = value as Record<string, unknown>
  if (version !== VERSION) throw new TypeError('another version')
  return (files as Record<keyof HeldFile, unknown>[]).map(
    ({ offer, circle, by, path, isWhole, at, takenBy, relay }) => {
      if (typeof path !== 'string' || typeof at !== 'number') throw new TypeError('no file')
      return {
        offer: offerOf(offer),
        circle: circleOf(circle),
        by: by === null ? null : zoneFromText(by as string),
        ...{ path, isWhole: isWhole === true, at },
        takenBy: (takenBy as string[]).map(zoneFromText),
        relay: relay ? atRelayOf(relay) : null,
      }
    },
  )
}

function offerOf(value: unknown): FileOffer {
  const { name, size, root, key } = value as Record<string, unknown>
  if (typeof name !== 'string' || typeof size !== 'number') throw new TypeError('no offer')
  return { name, size, root: bytes(root, HASH_SIZE), key: bytes(key, FILE_KEY_SIZE) }
}

function circleOf(value: unknown): Circle {
  const { is, zone, place } = value as Record<string, unknown>
  if (is === 'contact') return { is, zone: zoneFromText(zone as string) }
  if (is === 'room') return { is, place: bytes(place, 32) }
  throw new TypeError('nobody may have it')
}

function atRelayOf(value: unknown): AtRelay {
  const { is, zone, until } = value as Record<string, unknown>
  if (is === 'never') return { is }
  if ((is !== 'begun' && is !== 'whole' && is !== 'gone') || typeof until !== 'number')
    throw new TypeError('lies nowhere')
  return { is, zone: zoneFromText(zone as string), until }
}

function bytes(value: unknown, size: number): Uint8Array {
  const found = Uint8Array.from(Buffer.from(value as string, 'base64'))
  if (found.length !== size) throw new TypeError(`no ${size} bytes`)
  return found
}
