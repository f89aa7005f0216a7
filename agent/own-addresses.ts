/** Where others can dial a hub that listens everywhere: at the addresses this machine has, public ones first. */

import { isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { Address } from '../src/base/stream.ts'

/** Each is dialled by whoever has our HELLO: more are of no use. */
const ADDRESSES_MAX = 8

export type Interfaces = Readonly<
  Record<string, readonly { readonly address: string; readonly internal: boolean }[] | undefined>
>

/** What to tell others of the addresses we listen at. */
export function ownAddresses(
  listen: readonly Address[],
  interfaces: Interfaces = networkInterfaces(),
): readonly Address[] {
  const hosts = Object.values(interfaces)
    .flatMap(list => list ?? [])
    .filter(({ address, internal }) => !internal && !isLinkLocal(address))
    .map(({ address }) => address)
  const found = listen.flatMap(({ host, port }) => {
    if (host !== '::' && host !== '0.0.0.0') return [{ host, port }]
    // A system that listens at :: takes both kinds.
    const fitting = hosts.filter(each => host === '::' || !isIPv6(each))
    return fitting.map(each => ({ host: each, port }))
  })
  return found
    .toSorted((a, b) => Number(isPublic(b.host)) - Number(isPublic(a.host)))
    .slice(0, ADDRESSES_MAX)
}

/** Whether the whole Internet can mean this machine by it (RFC 6890). */
export function isPublic(host: string): boolean {
  if (isIPv6(host)) return !/^(::1?$|f[cd]|fe[89ab]|2001:db8:)/i.test(host)
  const [a, b] = host.split('.').map(Number) as [number, number]
  const isHome = a === 10 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168)
  const isCarriers = a === 100 && b >= 64 && b < 128
  return !(isHome || isCarriers || a === 127 || (a === 169 && b === 254))
}

/** They mean nothing to other machines without the name of an interface. */
const isLinkLocal = (host: string): boolean => /^(169\.254\.|fe[89ab])/i.test(host)
