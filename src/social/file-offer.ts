/**
 * A file that somebody offers, as it is said in private talk or in a room. Whoever has the offer has the key of the
 * content, and finds whoever has the file: label, port and key come from it alone, so nobody else can ask who has what.
 */

import { type PortId, portId, type ZoneKey } from '../base/ids.ts'
import type { Random } from '../base/random.ts'
import { hkdf } from '../crypto/kdf.ts'
import { type Modifier, modifier } from '../psyc/packet.ts'
import { encodeBase32 } from '../wire/base32.ts'
import { FILE_NAME_BYTES_MAX, safeFileName } from './file-name.ts'
import { FILE_BYTES_MAX, HASH_SIZE } from './file-tree.ts'

export const FILE_KEY_SIZE = 32
const PORT_SIZE = 64
/** Nobody finds a label of 128 bits by trying. */
const LABEL_SIZE = 16
/** 80 bits: what people type is the beginning of it. */
const ID_SIZE = 10
const TAG_SIZE = 16
const LABEL = new TextEncoder().encode('secushare-box file 1')
const NAMES = {
  name: '_name_file',
  size: '_amount_size_file',
  root: '_hash_file',
  key: '_key_file',
}
const decoder = new TextDecoder()

export interface FileOffer {
  /** Safe to make a file of. */
  readonly name: string
  readonly size: number
  /** Of its tree of hashes (file-tree.ts). */
  readonly root: Uint8Array
  /** Of this offer alone. */
  readonly key: Uint8Array
}

export const newFileKey = (random: Random): Uint8Array => random.bytes(FILE_KEY_SIZE)

/** What people call an offer by; it tells nothing of key and content. */
export const offerId = (offer: FileOffer): string =>
  encodeBase32(derive(offer, ID_SIZE, 'id')).toLowerCase()

/** The label in the zone of whoever has the file, under which others find where that is. */
export const fileLabel = (offer: FileOffer, holder: ZoneKey): string =>
  encodeBase32(derive(offer, LABEL_SIZE, 'where', holder)).toLowerCase()

/** The CADET port at which the holder hands it out. */
export const filePort = (offer: FileOffer, holder: ZoneKey): PortId =>
  portId(derive(offer, PORT_SIZE, 'port', holder))

/** What a relay calls it that keeps its parts: nobody can tell key, name or content from that, nor from the id. */
export const relayTag = (offer: FileOffer): string =>
  encodeBase32(derive(offer, TAG_SIZE, 'relay')).toLowerCase()

/** What chunks are sealed with. */
export const contentKey = (offer: FileOffer): Uint8Array => derive(offer, FILE_KEY_SIZE, 'content')

/** The offer as variables of a message. */
export const offerModifiers = ({ name, size, root, key }: FileOffer): readonly Modifier[] => [
  modifier(':', NAMES.name, name),
  modifier(':', NAMES.size, `${size}`),
  modifier(':', NAMES.root, root),
  modifier(':', NAMES.key, key),
]

/** What those say who have an older version, or another program. */
export const offerText = ({ name, size }: FileOffer): string =>
  `offers a file: ${name} (${size} bytes)`

/** Null where the variables are no offer. */
export function readOffer(entity: readonly Modifier[]): FileOffer | null {
  const of = (name: string) => entity.find(one => one.name === name)?.value
  const [name, size, root, key] = [NAMES.name, NAMES.size, NAMES.root, NAMES.key].map(of)
  if (!name || !size || root?.length !== HASH_SIZE || key?.length !== FILE_KEY_SIZE) return null
  const bytes = Number(decoder.decode(size))
  const isSize = /^\d{1,12}$/.test(decoder.decode(size)) && bytes <= FILE_BYTES_MAX
  if (!isSize || name.length > 2 * FILE_NAME_BYTES_MAX) return null
  return {
    name: safeFileName(decoder.decode(name)),
    size: bytes,
    root: root.slice(),
    key: key.slice(),
  }
}

const NOTHING = new Uint8Array(0)

const derive = (
  { key, root }: FileOffer,
  size: number,
  use: string,
  holder: Uint8Array = NOTHING,
): Uint8Array => hkdf(size, LABEL, key, `${use} `, root, holder).slice()
