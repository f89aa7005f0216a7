/** An SFTP session and whoever talks to it: requests as packets, replies in the order in which they come. */

import { PassThrough } from 'node:stream'
import { framed, PacketSplitter } from '../../../agent/sftp/packet-splitter.ts'
import {
  type Attributes,
  Attrs,
  Close,
  Data,
  Extended,
  Handle,
  Init,
  LinkStatus,
  Names,
  Open,
  OpenDirectory,
  type Packet,
  PathStatus,
  Read,
  ReadDirectory,
  Status,
  Write,
} from '../../../agent/sftp/packets.ts'
import { Region } from '../../../agent/sftp/region.ts'
import { SftpSession } from '../../../agent/sftp/session.ts'

export const NONE: Attributes = { flags: 0, size: null, owner: null, mode: null, times: null }

export class SftpClient {
  readonly ended: Promise<number>
  readonly replies: Uint8Array[] = []
  private readonly input = new PassThrough()
  private readonly splitter = new PacketSplitter()
  private readonly waiting: ((reply: Uint8Array) => void)[] = []
  private id = 0

  /** Files below `paths`, or everywhere. */
  static async open(home: string, paths: readonly string[] | null = null): Promise<SftpClient> {
    const client = new SftpClient(await Region.open(home, paths))
    client.send(Init.encode({ version: 3, extensions: new Uint8Array(0) }))
    await client.next()
    return client
  }

  constructor(region: Region) {
    const session = new SftpSession({ region, now: () => Date.UTC(2026, 10, 25) })
    this.ended = session.serve(this.input, async bytes => {
      for (const packet of this.splitter.push(bytes)) {
        const take = this.waiting.shift()
        if (take) take(packet.slice())
        else this.replies.push(packet.slice())
      }
    })
  }

  raw(bytes: Uint8Array): void {
    this.input.write(bytes)
  }

  send(packet: Uint8Array): void {
    this.raw(framed(packet))
  }

  end(): Promise<number> {
    this.input.end()
    return this.ended
  }

  next(): Promise<Uint8Array> {
    const reply = this.replies.shift()
    if (reply) return Promise.resolve(reply)
    return new Promise(resolve => this.waiting.push(resolve))
  }

  /** The reply to one request; STATUS as an error unless it is success. */
  async ask<T>(packet: Packet<T>, fields: Omit<T, 'id'>): Promise<Uint8Array> {
    this.send(packet.encode({ id: this.id++, ...fields } as T))
    const reply = await this.next()
    if (reply[0] !== Status.type) return reply
    const { code, message } = Status.decode(reply)
    if (code !== 0) throw Object.assign(new Error(message), { code })
    return reply
  }

  async openFile(path: string, flags: number, attributes = NONE): Promise<string> {
    return Handle.decode(await this.ask(Open, { path, flags, attributes })).handle
  }

  async close(handle: string): Promise<void> {
    await this.ask(Close, { handle })
  }

  async read(handle: string, offset: bigint, length: number): Promise<Uint8Array> {
    return Data.decode(await this.ask(Read, { handle, offset, length })).data
  }

  async write(handle: string, offset: bigint, data: Uint8Array): Promise<void> {
    await this.ask(Write, { handle, offset, data })
  }

  async stat(path: string): Promise<Attributes> {
    return Attrs.decode(await this.ask(PathStatus, { path })).attributes
  }

  async lstat(path: string): Promise<Attributes> {
    return Attrs.decode(await this.ask(LinkStatus, { path })).attributes
  }

  /** Every name in a directory with its line of `ls -l`. */
  async list(path: string): Promise<Map<string, string>> {
    const { handle } = Handle.decode(await this.ask(OpenDirectory, { path }))
    const all = new Map<string, string>()
    try {
      for (;;) {
        const { entries } = Names.decode(await this.ask(ReadDirectory, { handle }))
        for (const { name, long } of entries) all.set(name, long)
      }
    } catch (error) {
      if ((error as { code?: number }).code !== 1) throw error
    }
    await this.close(handle)
    return all
  }

  extended(name: string, body: Uint8Array): Promise<Uint8Array> {
    return this.ask(Extended, { name, body })
  }
}

export const attributes = (some: Partial<Attributes>): Attributes => {
  const flags =
    (some.size == null ? 0 : 1) |
    (some.owner ? 2 : 0) |
    (some.mode == null ? 0 : 4) |
    (some.times ? 8 : 0)
  return { ...NONE, ...some, flags }
}
