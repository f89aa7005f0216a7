/** Sessions of SFTP for routes: over a connection that is there already, where there is one, and for as long as an answer takes. */

import type { ServerResponse } from 'node:http'
import { BoxError } from '../../src/base/errors.ts'
import type { Context } from '../context.ts'
import { DeviceFiles } from '../device-files.ts'
import { tooMany, whileRead } from './streams.ts'
import type { WarmShells } from './warm-shells.ts'

const TIMEOUT_MS = 30_000
/** Each has a megabyte on its way at most, and a channel of SSH. */
const SESSIONS_MAX = 24

/** Whose files: those of a device, as one of its users. */
export interface FilesOf {
  readonly name: string
  /** Absent: as whoever the agent there runs as. */
  readonly user?: string | undefined
}

export interface FileSession {
  readonly files: DeviceFiles
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal
  /** Harmless when called again. `error` is why, where it failed. */
  end(error?: unknown): void
}

export class DeviceSftp {
  private readonly context: Context
  private readonly shells: WarmShells
  private open = 0

  constructor(context: Context, shells: WarmShells) {
    this.context = context
    this.shells = shells
  }

  /** For as long as `use` takes. Fails as `begin` and `use`. */
  async during<T>(
    raw: ServerResponse,
    whose: FilesOf,
    use: (session: FileSession) => Promise<T>,
  ): Promise<T> {
    const session = await this.begin(raw, whose)
    try {
      const value = await use(session)
      session.end()
      return value
    } catch (error) {
      session.end(error)
      throw toldOfFiles(error)
    }
  }

  /** Until it is ended. Fails with DEVICE_UNKNOWN, NOT_PERMITTED, USER_…, and as the device is reached. */
  async begin(raw: ServerResponse, { name, user = '' }: FilesOf): Promise<FileSession> {
    const device = this.context.fleet.device(name)
    if (this.open >= SESSIONS_MAX) throw tooMany('Too many files are under way already.')
    this.open += 1
    let give = (_isWhole: boolean) => {}
    let isOver = false
    const end = (error?: unknown) => {
      if (isOver) return
      isOver = true
      this.open -= 1
      give(!isLost(error))
    }
    try {
      const reader = whileRead(this.context, raw)
      const options = { timeoutMs: TIMEOUT_MS, user: user === '' ? null : user }
      const { ssh, giveBack } = await this.shells.take(reader, device, options)
      give = giveBack
      const sftp = await ssh.files()
      give = isWhole => {
        sftp.end()
        giveBack(isWhole)
      }
      const files = new DeviceFiles(sftp, this.context.random)
      return { files, signal: reader.signal, end }
    } catch (error) {
      end(error)
      throw error
    }
  }
}

/** What is not as it was expected there is no failure of this machine. */
export const toldOfFiles = (error: unknown): unknown =>
  error instanceof BoxError && ['FILE_UNUSABLE', 'FILE_EXISTS'].includes(error.code)
    ? Object.assign(error, { statusCode: 409 })
    : error

/** Whether the connection itself may be at fault; what a device refuses says nothing against it. */
const isLost = (error: unknown): boolean =>
  error !== undefined && !(error instanceof BoxError && error.family !== 'unreachable')
