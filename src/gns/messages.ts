/** What peers and the service of GNUnet say of revoked zones (revocation.h, GNUnet 0.19.3 and 0.20.0). */

import { counted, lengthOf, message, u32 } from '../wire/layout.ts'

/** From peer to peer, from a client to its service, and, without a meaning of its type, as the block of the DHT. */
export const RevokeMessage = message('REVOCATION_REVOKE', 638, {
  size: lengthOf('proof', u32),
  proof: counted('size'),
})
