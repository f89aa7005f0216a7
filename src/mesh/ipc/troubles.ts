/** A service that cannot be used, as people are told of it: what is wrong, and what to type. */

import { BoxError } from '../../base/errors.ts'
import type { Trouble } from '../mesh.ts'

export const serviceTrouble = (name: string, reason: BoxError): Trouble => ({
  kind: 'service',
  peer: null,
  detail: `${name}: ${reason.message}`,
  cure:
    reason.code === 'GNUNET_FORBIDDEN'
      ? 'Let the user in, and log in again.'
      : 'Start the daemon (systemctl start gnunet, or gnunet-arm -s); it is tried again every few seconds.',
})

/** Names the group whose members may use the socket, where that is what is missing. */
export function withGroup(
  reason: BoxError,
  socket: string,
  groupOf: (path: string) => string | null,
): BoxError {
  if (reason.code !== 'GNUNET_FORBIDDEN') return reason
  const group = groupOf(socket)
  const hint = group ? ` Members of the group ${group} may use it: usermod -aG ${group} USER.` : ''
  return new BoxError('GNUNET_FORBIDDEN', `The socket is ${socket}.${hint}`, reason)
}
