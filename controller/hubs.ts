/** The hubs this controller was told of, as HELLO URLs. Devices bring theirs, so often there is none here. */

import { BoxError } from '../src/base/errors.ts'
import { helloPeer, namesAddress } from '../src/box/device-record.ts'
import { encodeBase32 } from '../src/wire/base32.ts'
import type { State } from './state.ts'

const FILE = 'hubs'
/** Each is dialled at every start. */
const HUBS_MAX = 16

export function readHubs(state: State): readonly string[] {
  const text = state.readText(FILE)
  if (text === null) return []
  try {
    const hubs = JSON.parse(text) as unknown
    if (Array.isArray(hubs) && hubs.every(hub => typeof hub === 'string')) return hubs
  } catch {
    // Told below, as every other damage.
  }
  throw new BoxError('STATE_UNREADABLE', `The list of hubs (${FILE}) is damaged.`)
}

/** Adds a hub; the newest HELLO of the same peer replaces an older one. Fails with INPUT_INVALID. */
export async function addHub(state: State, hello: string): Promise<void> {
  const peer = peerOf(hello)
  if (!namesAddress(hello))
    throw new BoxError(
      'INPUT_INVALID',
      'This HELLO names no address where the hub could be dialled.',
    )
  await state.exclusively(() => {
    const hubs = [...readHubs(state).filter(known => peerOf(known) !== peer), hello]
    if (hubs.length > HUBS_MAX)
      throw new BoxError('INPUT_INVALID', `There are ${HUBS_MAX} hubs already: remove one first.`)
    state.writeText(FILE, `${JSON.stringify(hubs, null, 1)}\n`)
  })
}

/** Removes the hub whose peer begins with `start`. Fails with INPUT_INVALID unless it is exactly one. */
export async function removeHub(state: State, start: string): Promise<string> {
  const wanted = start.includes('/') ? peerOf(start) : start.toUpperCase()
  return await state.exclusively(() => {
    const hubs = readHubs(state)
    const meant = hubs.filter(hello => peerOf(hello).startsWith(wanted))
    if (meant.length !== 1)
      throw new BoxError(
        'INPUT_INVALID',
        `${meant.length === 0 ? 'No hub begins' : 'Several hubs begin'} with "${start}": see box hub ls.`,
      )
    const rest = hubs.filter(hello => hello !== meant[0])
    state.writeText(FILE, `${JSON.stringify(rest, null, 1)}\n`)
    return meant[0]!
  })
}

/** The peer of a HELLO URL, as text. Throws INPUT_INVALID. */
export const peerOf = (hello: string): string => encodeBase32(helloPeer(hello))

/** The addresses in a HELLO URL, for people: `192.0.2.1:2086 [2001:db8::1]:2086`. */
export const addressesOf = (hello: string): string =>
  [...hello.matchAll(/\+tcp\+(?:tcp\.\d+\.)?([^+]+)/g)]
    .map(([, address]) => decodeURIComponent(address!))
    .join(' ')
