/** The end of what a device was: after it, the agent starts as if for the first time. */

import type { Store } from '../src/base/store.ts'
import { CONFIG_FILE } from './config.ts'

/** What a person writes, which on OpenWrt lies in the same directory: agent.json, and what bundles may push. */
const OF_PERSONS = [CONFIG_FILE, 'alerts.json', 'services.json', 'probes']

/** What is kept in folders beside the store: what was pushed, what was recorded, files for who is away. */
export const KEPT_FOLDERS = ['push', 'recordings', 'relayed']

/**
 * Forgets owners, then identity, then everything but the configuration; `removeFolder` removes one of KEPT_FOLDERS.
 * No agent may be running.
 */
export function wipe(store: Store, removeFolder: (name: string) => void): void {
  const names = store.names().filter(name => !OF_PERSONS.includes(name))
  // Owners first: half done, it is a device of nobody, never one of somebody that does not know it.
  names.sort((a, b) => Number(b === 'grants') - Number(a === 'grants'))
  for (const name of names) store.delete(name)
  for (const name of KEPT_FOLDERS) removeFolder(name)
}
