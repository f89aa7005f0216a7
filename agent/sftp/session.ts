/**
 * One SFTP session: packets in, replies out, strictly in the order of the requests. OpenSSH's client before
 * 9.4 loses data silently where replies come in another order, so each request is answered before the next
 * one is read. That also bounds the memory: a client that does not read its replies is not read from.
 */

import type { Readable } from 'node:stream'
import { WireError } from '../../src/wire/layout.ts'
import { piecewise } from '../piecewise.ts'
import { EXTENSIONS } from './extensions.ts'
import { Handles } from './handles.ts'
import { framed, LENGTH_SIZE, PacketSplitter } from './packet-splitter.ts'
import { Extended, Init, RESULT, SFTP_VERSION, Version } from './packets.ts'
import { People } from './people.ts'
import type { Region } from './region.ts'
import { ANSWERS, type Reply, resultOf, SCRATCH_SIZE, status, type Workplace } from './requests.ts'
import type { Witness } from './witness.ts'

/** Type and number: what can be answered at all. */
const HEADER = 5
/** Where replies with data are framed: a large buffer for each would be garbage faster than it is collected. */
const REPLY_PLACE = LENGTH_SIZE + SCRATCH_SIZE

export interface SftpOptions {
  readonly region: Region
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Writes down what is done; null where that is not recorded. */
  readonly witness?: Witness | null
}

export class SftpSession {
  private readonly place: Workplace
  private readonly witness: Witness | null
  private greeted = false

  constructor({ region, now, witness = null }: SftpOptions) {
    this.witness = witness
    const scratch = new Uint8Array(SCRATCH_SIZE)
    this.place = { region, now, scratch, handles: new Handles(), people: new People() }
  }

  /**
   * Serves until the client has said everything; a reply is good until it is taken. Resolves to the exit code: 1 where it spoke no SFTP, or where
   * what was done could not be written down.
   * What it had open is closed then.
   */
  async serve(input: Readable, reply: (packet: Uint8Array) => Promise<void>): Promise<number> {
    const splitter = new PacketSplitter()
    const place = new Uint8Array(REPLY_PLACE)
    try {
      for await (const piece of piecewise(input))
        for (const packet of splitter.push(piece)) {
          const answer = await this.answer(packet)
          if (this.witness?.saw(packet, answer) === false) return 1
          await reply(framed(answer, place))
        }
      return splitter.isWithin ? 1 : 0
    } catch (error) {
      if (error instanceof WireError) return 1
      throw error
    } finally {
      await this.close()
    }
  }

  /** Closes what is open; also where the client went away in the middle of a reply. */
  close(): Promise<void> {
    return this.place.handles.clear()
  }

  /** Throws WireError where there is nobody to answer. */
  private async answer(packet: Uint8Array): Promise<Reply> {
    const [type] = packet
    if (!this.greeted) return this.greet(packet)
    if (packet.length < HEADER) throw new WireError('SFTP', 'id', 1, 'there is none')
    const id = new DataView(packet.buffer, packet.byteOffset).getUint32(1)
    try {
      if (type === Extended.type) return await this.extended(packet)
      const answer = ANSWERS[type!]
      if (!answer) return status(id, RESULT.unsupported, `there is no request ${type}`)
      return await answer(packet, this.place)
    } catch (error) {
      if (error instanceof WireError) return status(id, RESULT.badMessage, error.message)
      const { code, message } = resultOf(error)
      return status(id, code, message)
    }
  }

  private greet(packet: Uint8Array): Reply {
    Init.decode(packet) // Whatever it can do: we speak version 3.
    this.greeted = true
    const extensions = Object.entries(EXTENSIONS).map(([name, { version }]) => ({
      name,
      value: version,
    }))
    return Version.encode({ version: SFTP_VERSION, extensions })
  }

  private async extended(packet: Uint8Array): Promise<Reply> {
    const { id, name, body } = Extended.decode(packet)
    if (!Object.hasOwn(EXTENSIONS, name))
      return status(id, RESULT.unsupported, 'there is no such extension')
    return await EXTENSIONS[name]!.answer(id, body, this.place)
  }
}
