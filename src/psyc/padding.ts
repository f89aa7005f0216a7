/**
 * The few sizes that are seen: every cell on a channel of a place, and every encrypted content inside, is
 * one of them, so that a size says next to nothing about what it is.
 */

/** Of a whole cell. Four times as large each; the largest fits a CADET message with room for its headers. */
export const CELL_SIZES = [256, 1_024, 4_096, 16_384, 61_440] as const
const LARGEST = CELL_SIZES[CELL_SIZES.length - 1]!

/** Header and size of a cell. */
const CELL_OVERHEAD = 6
/** What stands before the fragment in a PLACE_FORWARD. */
const FORWARD_OVERHEAD = 8
/** PLACE_FRAGMENT without its body, and the tag of the encryption. */
const FRAGMENT_OVERHEAD = 4 + 8 + 1 + 4 + 32 + 64 + 16
/** PLACE_CONTENT without parts and padding. */
const CONTENT_OVERHEAD = 4 + 1 + 8 + 2
const AROUND_PARTS = CELL_OVERHEAD + FORWARD_OVERHEAD + FRAGMENT_OVERHEAD + CONTENT_OVERHEAD

/** The most that a message in a cell may have. */
export const BODY_MAX = LARGEST - CELL_OVERHEAD
/** The most that the parts in one fragment may have. */
export const PARTS_MAX = LARGEST - AROUND_PARTS

/** How many zeros go behind a body of this size. */
export const cellPadding = (bodySize: number): number => fill(bodySize + CELL_OVERHEAD)

/** How many zeros go behind parts of this size before they are encrypted, so that the cell needs none. */
export const contentPadding = (partsSize: number): number => fill(partsSize + AROUND_PARTS)

function fill(size: number): number {
  const wanted = CELL_SIZES.find(one => one >= size)
  if (wanted === undefined) throw new RangeError(`${size} bytes are no cell`)
  return wanted - size
}
