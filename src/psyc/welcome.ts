/** What somebody gets who has been let in to a place; the state follows as a packet. */

import type { Head } from './fragment.ts'

export interface Welcome {
  readonly ticket: Uint8Array
  readonly generation: number
  readonly key: Uint8Array
  readonly head: Head
  /** After this the chain begins that they may have. */
  readonly start: Head
  readonly first: bigint
  readonly state: Uint8Array
}
