/** What a device that relays keeps for others: in its own store, and files beside it. */

import type { Clock, Timer } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { Log } from '../src/base/log.ts'
import type { Store } from '../src/base/store.ts'
import type { GrowingFiles } from '../src/sys/growing-files.ts'
import type { AgentConfig } from './config.ts'
import { FileShelf } from './file-shelf.ts'
import { MailShelf } from './mail-shelf.ts'
import { ParcelShelf, type ShelfName } from './parcel-shelf.ts'
import type { Post } from './relay-service.ts'

const MEGABYTE = 1_048_576
/** What is too old goes while nobody asks for anything. */
const TIDY_EVERY_MS = 6 * 3_600_000

export interface RelayParts {
  readonly config: Pick<AgentConfig, 'relay' | 'relayFilesMegabytes'>
  readonly store: Store
  readonly clock: Clock
  readonly log: Log
  /** Absent where files cannot be kept. */
  readonly relayed?: GrowingFiles | undefined
}

/** What is kept for others. */
export interface Relay {
  readonly shelf: ParcelShelf
  readonly post: Post
  /** Letters between people. */
  readonly mail: MailShelf
  /** Files for people who are away; null where it keeps none. */
  readonly files: FileShelf | null
  /** Ends what is under way. */
  readonly close: () => void
}

/** Null where this device keeps nothing for others. Throws STATE_UNREADABLE. */
export function relayShelves(parts: RelayParts): Relay | null {
  const { config, store, clock } = parts
  if (!config.relay) return null
  const shelf = (name: ShelfName) => new ParcelShelf(store, () => clock.now(), name)
  const post = { jobs: shelf('jobs'), results: shelf('results') }
  const mail = new MailShelf(store, () => clock.now())
  return { shelf: shelf('parcel'), post, mail, ...filesWith(parts, mail) }
}

function filesWith({ config, clock, log, relayed }: RelayParts, mail: MailShelf) {
  const bytesMax = config.relayFilesMegabytes * MEGABYTE
  if (!relayed || bytesMax === 0) return { files: null, close: () => {} }
  const files = new FileShelf({ files: relayed, mail, now: () => clock.now(), bytesMax })
  let next: Timer
  const tidy = () => {
    try {
      files.tidy()
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      log.note('warn', 'relay', 'files not tidied', { code: error.code })
    }
    next = clock.after(TIDY_EVERY_MS, tidy)
  }
  tidy()
  return {
    files,
    close: () => {
      next.cancel()
      files.close()
    },
  }
}
