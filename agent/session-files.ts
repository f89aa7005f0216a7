/** The files of an SSH session: served here, or by a process of the user whose they are; witnessed where they are recorded. */

import type { Account } from './environment.ts'
import type { Recording } from './recording.ts'
import { SeatedFiles } from './seat/seated-files.ts'
import { Region } from './sftp/region.ts'
import { SftpSession } from './sftp/session.ts'
import { Witness } from './sftp/witness.ts'

export interface FilesToServe {
  readonly account: Account
  /** Those of the grant; null: all. */
  readonly paths: readonly string[] | null
  readonly recording: Recording | null
  /** Milliseconds since 1970. */
  readonly now: () => number
}

export type SessionFiles = Pick<SftpSession, 'serve' | 'close'>

export async function sessionFiles({ account, paths, recording, now }: FilesToServe): Promise<{
  readonly files: SessionFiles
  readonly witness: Witness | null
}> {
  const { home, identity } = account
  const region = await Region.open(home, paths)
  const witness = recording && new Witness(recording, region)
  const files = identity
    ? new SeatedFiles({ identity, home, paths, witness })
    : new SftpSession({ region, now, witness })
  return { files, witness }
}
