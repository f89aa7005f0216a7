/** What a device that relays keeps for others, in its own store. */

import type { Clock } from '../src/base/clock.ts'
import type { Store } from '../src/base/store.ts'
import { MailShelf } from './mail-shelf.ts'
import { ParcelShelf, type ShelfName } from './parcel-shelf.ts'
import type { Relay } from './services.ts'

/** Throws STATE_UNREADABLE. */
export function relayShelves(store: Store, clock: Clock): Relay {
  const shelf = (name: ShelfName) => new ParcelShelf(store, () => clock.now(), name)
  const post = { jobs: shelf('jobs'), results: shelf('results') }
  return { shelf: shelf('parcel'), post, mail: new MailShelf(store, () => clock.now()) }
}
