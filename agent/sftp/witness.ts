/**
 * What is written down of an SFTP session: a line for each thing that was done with files, or tried, with how it
 * ended. Contents are not kept; of what was read or written from beginning to end in one go there is the hash.
 */

import { type RunningHash, runningSha256 } from '../../src/crypto/hash.ts'
import { WireError } from '../../src/wire/layout.ts'
import { hexOf, type Recording } from '../recording.ts'
import * as packets from './packets.ts'
import { type Attributes, OPEN, RESULT } from './packets.ts'
import type { Region } from './region.ts'
import type { Reply } from './requests.ts'

/** One direction of an open file. */
interface Flow {
  bytes: bigint
  /** Where the next byte of an unbroken run is; null where it was broken. */
  next: bigint | null
  readonly hash: RunningHash
}

interface OpenFile {
  readonly path: string
  readonly read: Flow
  readonly written: Flow
}

const newFlow = (): Flow => ({ bytes: 0n, next: 0n, hash: runningSha256() })

export class Witness {
  private readonly recording: Recording
  private readonly region: Region
  private readonly files = new Map<string, OpenFile>()

  constructor(recording: Recording, region: Region) {
    this.recording = recording
    this.region = region
  }

  /** Whether it could be written down; where not, nothing more may be done. */
  saw(request: Uint8Array, reply: Reply): boolean {
    try {
      this.tell(request, reply)
    } catch (error) {
      if (!(error instanceof WireError)) throw error // A packet that was none has done nothing.
    }
    return this.recording.fault === null
  }

  /** The session is over. */
  end(): void {
    for (const file of this.files.values()) this.sayClosed(file, 'left open')
    this.files.clear()
  }

  private tell(request: Uint8Array, reply: Reply): void {
    switch (request[0]) {
      case packets.Open.type:
        this.opened(request, reply)
        return
      case packets.Read.type:
        this.read(request, reply)
        return
      case packets.Write.type:
        this.wrote(request, reply)
        return
      case packets.Close.type:
        this.closed(request)
        return
      default: {
        const done = this.doing(request)
        if (done) this.say(done, reply)
      }
    }
  }

  private opened(request: Uint8Array, reply: Reply): void {
    const { path, flags } = packets.Open.decode(request)
    const named = this.named(path)
    this.say(`open ${named} to ${waysOf(flags)}`, reply)
    if (reply[0] !== packets.Handle.type) return
    const { handle } = packets.Handle.decode(reply)
    this.files.set(handle, { path: named, read: newFlow(), written: newFlow() })
  }

  private read(request: Uint8Array, reply: Reply): void {
    if (reply[0] !== packets.Data.type) return
    const { handle, offset } = packets.Read.decode(request)
    const file = this.files.get(handle)
    if (file) count(file.read, offset, packets.Data.decode(reply).data)
  }

  private wrote(request: Uint8Array, reply: Reply): void {
    const { handle, offset, data } = packets.Write.decode(request)
    const file = this.files.get(handle)
    if (file && faultIn(reply) === null) count(file.written, offset, data)
  }

  private closed(request: Uint8Array): void {
    const { handle } = packets.Close.decode(request)
    const file = this.files.get(handle)
    if (!file) return
    this.files.delete(handle)
    this.sayClosed(file, 'close')
  }

  private sayClosed({ path, read, written }: OpenFile, how: string): void {
    const flows = [
      ['read', read],
      ['wrote', written],
    ] as const
    const told = flows
      .filter(([, { bytes }]) => bytes > 0n)
      .map(([verb, { bytes, next, hash }]) => {
        const sum = next === null ? 'not in one go' : `sha256 ${hexOf(hash.end())}`
        return `${verb} ${bytes} bytes, ${sum}`
      })
    this.recording.say(`${how} ${path}${told.length > 0 ? `: ${told.join('; ')}` : ''}`)
  }

  /** What changes something, or tells more than one name; null for the rest. */
  private doing(request: Uint8Array): string | null {
    const one = (verb: string, path: string) => `${verb} ${this.named(path)}`
    switch (request[0]) {
      case packets.OpenDirectory.type:
        return one('list', packets.OpenDirectory.decode(request).path)
      case packets.Remove.type:
        return one('remove', packets.Remove.decode(request).path)
      case packets.MakeDirectory.type:
        return one('make directory', packets.MakeDirectory.decode(request).path)
      case packets.RemoveDirectory.type:
        return one('remove directory', packets.RemoveDirectory.decode(request).path)
      case packets.Rename.type: {
        const { from, to } = packets.Rename.decode(request)
        return `${one('rename', from)} to ${this.named(to)}`
      }
      case packets.SymbolicLink.type: {
        const { path, target } = packets.SymbolicLink.decode(request)
        return `${one('link', path)} to ${shown(target)}`
      }
      case packets.SetStatus.type: {
        const { path, attributes } = packets.SetStatus.decode(request)
        return `${one('set', path)}: ${settingsOf(attributes)}`
      }
      case packets.SetFileStatus.type: {
        const { handle, attributes } = packets.SetFileStatus.decode(request)
        const path = this.files.get(handle)?.path ?? '?'
        return `set ${path}: ${settingsOf(attributes)}`
      }
      case packets.Extended.type:
        return this.extended(request)
      default:
        return null
    }
  }

  private extended(request: Uint8Array): string | null {
    const { name, body } = packets.Extended.decode(request)
    const verb = { 'posix-rename@openssh.com': 'rename', 'hardlink@openssh.com': 'second name' }[
      name
    ]
    if (verb) {
      const { from, to } = packets.TwoPaths.decode(body)
      return `${verb} ${this.named(from)} to ${this.named(to)}`
    }
    if (name !== 'lsetstat@openssh.com') return null
    const { path, attributes } = packets.PathAttributes.decode(body)
    return `set ${this.named(path)}: ${settingsOf(attributes)}`
  }

  private say(done: string, reply: Reply): void {
    const fault = faultIn(reply)
    this.recording.say(fault === null ? done : `${done}: failed, ${shown(fault)}`)
  }

  private named(path: string): string {
    return shown(this.region.absolute(path))
  }
}

function count(flow: Flow, offset: bigint, data: Uint8Array): void {
  flow.bytes += BigInt(data.length)
  if (flow.next !== offset) {
    flow.next = null
    return
  }
  flow.hash.add(data)
  flow.next += BigInt(data.length)
}

/** The message of a reply that says that it did not work. */
function faultIn(reply: Reply): string | null {
  if (reply[0] !== packets.Status.type) return null
  const { code, message } = packets.Status.decode(reply)
  return code === RESULT.ok ? null : message
}

function waysOf(flags: number): string {
  const ways = [
    [OPEN.read, 'read'],
    [OPEN.write, 'write'],
    [OPEN.append, 'append'],
    [OPEN.create, 'create'],
    [OPEN.truncate, 'empty'],
  ] as const
  return ways.flatMap(([flag, way]) => (flags & flag ? way : [])).join(', ') || 'read'
}

function settingsOf({ size, owner, mode, times }: Attributes): string {
  const settings = [
    size !== null && `size ${size}`,
    owner !== null && `owner ${owner.uid}:${owner.gid}`,
    mode !== null && `mode ${(mode & 0o7777).toString(8)}`,
    times !== null && 'times',
  ]
  return settings.filter(Boolean).join(', ') || 'nothing'
}

/** Names are bytes, one a character; on a terminal they are UTF-8, and steer nothing. */
const shown = (name: string): string =>
  Buffer.from(name, 'latin1')
    .toString('utf8')
    .replaceAll(/\p{Cc}/gu, '?')
