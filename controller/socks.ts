/** The server's half of SOCKS version 5 (RFC 1928): no login, CONNECT only, as `ssh -D` has it. */

import type { Socket } from 'node:net'
import { concat } from '../src/base/bytes.ts'
import { BoxError } from '../src/base/errors.ts'

const VERSION = 5
const NO_LOGIN = 0
const CONNECT = 1
const IPV4 = 1
const NAME = 3
const IPV6 = 4
/** Greeting and request are short, and come before anything else may. */
const TALK_MAX = 1_024

export interface SocksRequest {
  readonly host: string
  readonly port: number
  /** Tells the client that it is connected, or not; what it sends from now on is its own. */
  readonly granted: () => void
  readonly refused: () => void
}

/** What the client wants. Fails with INPUT_INVALID where it speaks something else, or nothing more. */
export async function socksRequest(socket: Socket): Promise<SocksRequest> {
  const reader = new Reader(socket)
  const [version, methods] = await reader.take(2)
  if (version !== VERSION) throw invalid('It does not speak SOCKS 5.')
  const offered = await reader.take(methods!)
  if (!offered.includes(NO_LOGIN)) {
    socket.end(Uint8Array.of(VERSION, 0xff))
    throw invalid('It wants to log in.')
  }
  socket.write(Uint8Array.of(VERSION, NO_LOGIN))
  const [, command, , kind] = await reader.take(4)
  const host = await hostOf(reader, kind!)
  const [high, low] = await reader.take(2)
  const answer = (code: number) => Uint8Array.of(VERSION, code, 0, IPV4, 0, 0, 0, 0, 0, 0)
  if (command !== CONNECT || host === null) {
    socket.end(answer(command === CONNECT ? 8 : 7))
    throw invalid('It wants something else than a connection.')
  }
  reader.release()
  return {
    host,
    port: high! * 256 + low!,
    granted: () => void socket.write(answer(0)),
    refused: () => void socket.end(answer(5)),
  }
}

async function hostOf(reader: Reader, kind: number): Promise<string | null> {
  if (kind === IPV4) return (await reader.take(4)).join('.')
  if (kind === NAME) {
    const [size] = await reader.take(1)
    return new TextDecoder().decode(await reader.take(size!))
  }
  if (kind !== IPV6) return null
  const bytes = await reader.take(16)
  const groups = Array.from({ length: 8 }, (_, i) =>
    (bytes[2 * i]! * 256 + bytes[2 * i + 1]!).toString(16),
  )
  return groups.join(':')
}

/**
 * Bytes of a socket, as many as are wanted; what is beyond goes back. Not by `readable`: with less than
 * is wanted in its buffer a socket says so again and again, and nothing else comes to its turn.
 */
class Reader {
  private readonly socket: Socket
  private rest: Uint8Array = new Uint8Array(0)
  private taken = 0

  constructor(socket: Socket) {
    this.socket = socket
  }

  async take(count: number): Promise<Uint8Array> {
    this.taken += count
    if (this.taken > TALK_MAX) throw invalid('It talks too long.')
    while (this.rest.length < count) this.rest = concat(this.rest, await this.chunk())
    const wanted = this.rest.subarray(0, count)
    this.rest = this.rest.subarray(count)
    return wanted
  }

  /** The socket is its user's again, who resumes it. */
  release(): void {
    if (this.rest.length > 0) this.socket.unshift(this.rest)
  }

  private chunk(): Promise<Uint8Array> {
    const { socket } = this
    return new Promise((resolve, reject) => {
      const settle = () => {
        socket.pause()
        socket.off('data', came).off('end', ended).off('close', ended)
      }
      const came = (chunk: Uint8Array) => {
        settle()
        resolve(chunk)
      }
      const ended = () => {
        settle()
        reject(invalid('It said too little.'))
      }
      if (socket.readableEnded || socket.destroyed) ended()
      else socket.on('data', came).on('end', ended).on('close', ended).resume()
    })
  }
}

const invalid = (why: string): BoxError => new BoxError('INPUT_INVALID', why)
