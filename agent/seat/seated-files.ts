/**
 * Files of another user: SFTP is spoken by a process that runs as that user, and handed on. Where it is recorded,
 * each request waits for the reply to the one before, so that both are seen together.
 */

import type { ChildProcess } from 'node:child_process'
import type { Duplex, Readable, Writable } from 'node:stream'
import { WireError } from '../../src/wire/layout.ts'
import type { Identity } from '../environment.ts'
import { piecewise } from '../piecewise.ts'
import { framed, PacketSplitter } from '../sftp/packet-splitter.ts'
import type { Witness } from '../sftp/witness.ts'
import { startSeat } from './seat.ts'

export interface SeatedFilesOptions {
  readonly identity: Identity
  readonly home: string
  /** Those of the grant. */
  readonly paths: readonly string[] | null
  /** Writes down what is done; null where that is not recorded. */
  readonly witness: Witness | null
}

type Reply = (bytes: Uint8Array) => Promise<void>

export class SeatedFiles {
  private readonly seat: ChildProcess & { stdin: Writable; stdout: Readable }
  private readonly exited: Promise<number>
  private readonly witness: Witness | null
  private isClosed = false

  constructor({ witness, ...words }: SeatedFilesOptions) {
    this.witness = witness
    const seat = startSeat({ do: 'files', ...words }, ['pipe', 'pipe', 'ignore'])
    this.seat = seat as ChildProcess & { stdin: Writable; stdout: Readable }
    this.exited = new Promise(resolve => {
      seat.once('error', () => resolve(1))
      // Ended by us: there is nobody to say anything any more.
      seat.once('exit', code => resolve(code ?? (this.isClosed ? 0 : 1)))
    })
    this.seat.stdin.on('error', () => {}) // It has ended: so does what it says.
  }

  /** As SftpSession: to the end of what the client says; the exit code. */
  async serve(input: Duplex, reply: Reply): Promise<number> {
    const { witness } = this
    const code = witness ? this.witnessed(input, reply, witness) : this.handedOn(input, reply)
    return await code.finally(() => void this.close())
  }

  close(): Promise<void> {
    this.isClosed = true
    this.seat.stdin.destroy()
    this.seat.kill('SIGKILL')
    return Promise.resolve()
  }

  private async handedOn(input: Duplex, reply: Reply): Promise<number> {
    const { stdin, stdout } = this.seat
    const up = async () => {
      for await (const piece of piecewise(input)) await written(stdin, piece)
      stdin.end()
    }
    void up().catch(() => stdin.end())
    for await (const piece of piecewise(stdout)) await reply(piece)
    return await this.exited
  }

  private async witnessed(input: Duplex, reply: Reply, witness: Witness): Promise<number> {
    const { stdin, stdout } = this.seat
    const requests = packetsOf(input)
    const replies = packetsOf(stdout)
    try {
      for await (const request of requests) {
        await written(stdin, framed(request))
        const { value: answer } = await replies.next()
        if (!answer || !witness.saw(request, answer)) return 1
        await reply(framed(answer))
      }
    } catch (error) {
      if (error instanceof WireError) return 1
      throw error
    }
    stdin.end()
    await replies.return(undefined)
    // Read to its end, or its process would not end either.
    stdout.resume()
    return await this.exited
  }
}

async function* packetsOf(stream: Readable): AsyncGenerator<Uint8Array, undefined> {
  const splitter = new PacketSplitter()
  for await (const piece of piecewise(stream)) yield* splitter.push(piece)
}

const written = (to: Writable, chunk: Uint8Array): Promise<void> =>
  new Promise((resolve, reject) => {
    to.write(chunk, error => (error ? reject(error) : resolve()))
  })
