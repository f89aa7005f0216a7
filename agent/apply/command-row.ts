/** The commands of one change, in a row: the first that fails ends it. */

import { dirname } from 'node:path'
import type { Clock } from '../../src/base/clock.ts'
import type { Disk } from '../../src/sys/disk.ts'
import { type Group, runCommand } from './commands.ts'
import type { PushState } from './push-state.ts'
import type { Place } from './state-of-files.ts'
import type { ContentOf } from './swap.ts'
import { missingAbove } from './target.ts'

const OWNER_DIRECTORY = 0o700

/** A command as the bundle has it, or one of ours under a name that people understand. */
export type Line = string | { readonly called: string; readonly line: string }

export class CommandRow {
  private readonly clock: Clock
  private readonly state: PushState
  private readonly over = new AbortController()

  constructor(clock: Clock, state: PushState) {
    this.clock = clock
    this.state = state
  }

  /** Null where all ended with 0, else what was wrong with the first that did not. */
  async run(
    lines: readonly Line[],
    change: { readonly commandSeconds: number; readonly becomes: { readonly name: string } },
    began: (group: Group | null) => void,
  ): Promise<string | null> {
    for (const one of lines) {
      const { called, line } = typeof one === 'string' ? { called: one, line: one } : one
      const failed = await runCommand(line, {
        called,
        clock: this.clock,
        timeoutMs: change.commandSeconds * 1_000,
        env: { BOX_STAGE: this.state.stage, BOX_BUNDLE: change.becomes.name },
        output: this.state.output,
        signal: this.over.signal,
        began,
      })
      if (failed) return failed
    }
    return null
  }

  /** Lays out what the files are to be, by their paths, below $BOX_STAGE: for the checks before. */
  layOut(disk: Disk, places: readonly Place[], content: ContentOf): void {
    const { stage } = this.state
    disk.removeTree(stage)
    disk.makeDirectory(stage, OWNER_DIRECTORY)
    for (const { path, now } of places) {
      if (now.is !== 'file') continue
      const at = `${stage}${path}`
      for (const above of missingAbove(disk, at)) disk.makeDirectory(above, OWNER_DIRECTORY)
      if (!disk.look(dirname(at))) disk.makeDirectory(dirname(at), OWNER_DIRECTORY)
      disk.write(at, content(now), null)
    }
  }

  /** Ends what runs. */
  close(): void {
    this.over.abort()
  }
}
