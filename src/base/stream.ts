/** Ordered bytes in both directions, with back-pressure: a TCP connection, real or simulated. */

/** `host` is an IPv4 or IPv6 literal without brackets. */
export interface Address {
  readonly host: string
  readonly port: number
}

export const sameAddress = (a: Address, b: Address): boolean =>
  a.host === b.host && a.port === b.port
export const formatAddress = ({ host, port }: Address): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`

/** Whether only this machine can connect there. */
export const isLoopback = (host: string): boolean =>
  host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)

/** What a stream tells its owner. Nothing is called after `closed`. */
export interface StreamEvents {
  /** The connection stands (dialled streams only; an accepted one is open from the start). */
  opened(): void
  /** The chunk belongs to the receiver. */
  received(chunk: Uint8Array): void
  /** What was written has left; called after `write` returned false. */
  drained(): void
  /** Once. `error` is null where either side closed in good order. */
  closed(error: Error | null): void
}

export interface Stream {
  readonly local: Address
  readonly remote: Address
  /** Takes the bytes (they must not change afterwards). False: wait for `drained` before writing more. */
  write(bytes: Uint8Array): boolean
  /** Stops and starts the calls of `received`; what arrives meanwhile waits in the network. */
  pause(): void
  resume(): void
  /** Sends what was written, then ends. `closed` follows. */
  close(): void
}

export interface Listener {
  /** Where it really listens: the port is filled in where 0 was asked. */
  readonly local: Address
  close(): void
}

/** The network as the protocol code sees it. */
export interface Network {
  /** Never throws; failure comes as `closed(error)`. */
  dial(to: Address, events: StreamEvents): Stream
  /** `accept` returns the events of the new stream. Throws BoxError ADDRESS_IN_USE. */
  listen(at: Address, accept: (stream: Stream) => StreamEvents): Promise<Listener>
}
