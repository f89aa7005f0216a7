/** What a transport gives to CORE: links to peers. Any wire class provides these. */

import type { PeerId } from '../../base/ids.ts'

/** A way to send GNUnet messages to a directly connected peer; nobody has proved anything yet: CORE does. */
export interface Link {
  readonly peer: PeerId
  /** The remote address as people write it. */
  readonly address: string
  /** Takes one whole message, whose bytes must not change afterwards. False: the backlog is high, wait for `drained`. */
  send(message: Uint8Array): boolean
  /** Told once by CORE: over this link the peer has proved its key. Until then anybody may displace it. */
  proven(): void
  /** Gives the link up: says goodbye, ends the connection. `down` follows. */
  close(): void
}

export interface LinkEvents {
  up(link: Link): void
  /** Any message that is not the transport's own business. The bytes may be a view: copy what you keep. */
  received(link: Link, message: Uint8Array): void
  drained(link: Link): void
  down(link: Link): void
}
