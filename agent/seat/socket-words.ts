/**
 * What an agent and the process that has its user's sockets say to each other. Neither of the two acts on more than
 * this: numbers that are not known mean nothing.
 */

import type { Endpoint } from '../../src/box/scope.ts'

/** `number` names what is asked for; it is used once. */
export type SocketOrder =
  | { readonly number: number; readonly do: 'connect' | 'listen'; readonly at: Endpoint }
  /** Not wanted any more. */
  | { readonly number: number; readonly do: 'end' }

export type SocketNews =
  /** With the socket itself. */
  | { readonly number: number; readonly is: 'connected' }
  | { readonly number: number; readonly is: 'listening'; readonly port: number }
  /** Somebody came to this listener: with the socket itself. */
  | { readonly number: number; readonly is: 'came'; readonly port: number }
  /** The code of the system. */
  | { readonly number: number; readonly is: 'failed'; readonly code: string }
