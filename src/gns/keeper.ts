/** Who keeps the records of our zones published: we ourselves (publisher.ts), or a daemon (namestore-keeper.ts). */

import type { ZoneKey } from '../base/ids.ts'
import type { ZoneSecret } from '../crypto/zone-key.ts'

export interface NameKeeper {
  /**
   * Begins to keep the zone alive: these labels, or all that it has in the database, now and before they expire.
   * Others are as they are until they are said to have `changed`.
   */
  publish(secret: ZoneSecret, labels?: readonly string[]): void
  /** The records of a label have been replaced in the database: publishes them at once. */
  changed(zone: ZoneKey, label: string): void
  /** When the block of a label that is out expires (ms since 1970); null where none is known to be. */
  publishedUntil(zone: ZoneKey, label: string): number | null
  close(): void
}
