/** What carries an SSH connection, and what all of its channels know of each other: whether somebody types. */

import type { Duplex } from 'node:stream'
import type { Clock } from '../src/base/clock.ts'
import type { MeshStream } from '../src/mesh/duplex.ts'
import type { Typing } from './typing.ts'

/** Also one that is not of the mesh, and knows no hurry. */
export type CarryingStream = Duplex & Partial<Pick<MeshStream, 'hurry' | 'untilRoom'>>

export interface Carrier {
  readonly stream: CarryingStream
  readonly typing: Typing
  readonly clock: Clock
}
