/**
 * The CADET ports of a device's services.
 *
 * A port is a shared secret: only its hash with the listener's pid travels. Ours derive from the device's
 * zone key, so that only those who know that key (by pairing code, name or grant) can address them. They
 * are hashes of a text, as all ports that people write are, so `gnunet-cadet PEER TEXT` knocks at them.
 */

import { type PortId, portId, type ZoneKey } from '../base/ids.ts'
import { sha512 } from '../crypto/hash.ts'
import { encodeBase32 } from '../wire/base32.ts'

/** What a device, or a person, can be asked for; also the purpose that both sides sign in the handshake. */
export type Service =
  | 'ssh'
  | 'pair'
  | 'control'
  | 'place'
  | 'push'
  | 'relay'
  | 'room'
  /** A room in which nobody proves by a signature that they were there. */
  | 'deniable-room'
  | 'upgrade'
  | 'jobs'
  | 'mail'
  /** Of a person, not of a device. */
  | 'talk'
  | 'contact'
  | 'file'

const encoder = new TextEncoder()

/** `secushare-box ssh ZONE`, the zone key written as in names. */
export const portText = (service: Service, device: ZoneKey): string =>
  `secushare-box ${service} ${encodeBase32(device)}`

/** The hash of `portText`. */
export const servicePort = (service: Service, device: ZoneKey): PortId =>
  portId(sha512(encoder.encode(portText(service, device))))
