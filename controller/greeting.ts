/** What a device says to everybody who logs in, as whoever runs something there reads it. */

import type { Context } from './context.ts'
import type { Device } from './fleet.ts'

/** A sentence or two. */
export const GREETING_MAX = 500

export function tellGreeting({ output }: Context, { name }: Device, text: string): void {
  output.remark(`${name}: ${text.trim()}`)
}
