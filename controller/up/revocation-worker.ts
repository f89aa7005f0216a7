/**
 * Works for certificates of revocation (box revocation make) in a process of its own: a try takes some thirty
 * milliseconds, of which there are very many, and nobody who asks `box up` something waits for them. That process keeps
 * what it has found on the disk, so it may be ended at any time.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { setPriority } from 'node:os'
import { inTheWay } from './line-answer.ts'

/** Whatever else there is to do comes first. */
const NICE = 15
/** One line of JSON. */
const ERRORS_MAX = 4_096

export interface WorkWish {
  /** A device; null: ourselves. */
  readonly device: string | null
  readonly years: number
}

interface Work {
  readonly device: string | null
  readonly child: ChildProcess
  readonly ended: Promise<WorkEnd>
}

export interface WorkEnd {
  /** As the command has it; null where it was killed. */
  readonly code: number | null
  /** What it said is wrong. */
  readonly errors: string
}

export class RevocationWorker {
  private readonly box: readonly string[]
  private work: Work | null = null

  /** `box` are the program and arguments that run a command on our state. */
  constructor(box: readonly string[]) {
    this.box = box
  }

  isWorkingFor(device: string | null): boolean {
    return this.work?.device === device
  }

  /** Resolves when it has ended. Throws API_REFUSED where it works already. */
  begin({ device, years }: WorkWish): Promise<WorkEnd> {
    if (this.work)
      throw inTheWay(`It works for ${this.work.device ?? 'your own certificate'} already.`)
    const [program, ...words] = this.box as [string, ...string[]]
    const what = device === null ? [] : [device]
    const more = ['revocation', 'make', ...what, '--years', `${years}`, '--json']
    const child = spawn(program, [...words, ...more], { stdio: ['ignore', 'ignore', 'pipe'] })
    const ended = endOf(child).finally(() => {
      this.work = null
    })
    this.work = { device, child, ended }
    return ended
  }

  /** Ends it; what was found is kept. Throws API_REFUSED where it does not work for this. */
  async stop(device: string | null): Promise<void> {
    if (!this.work || this.work.device !== device) throw inTheWay('It does not work for that.')
    await this.close()
  }

  async close(): Promise<void> {
    this.work?.child.kill('SIGINT')
    await this.work?.ended
  }
}

function endOf(child: ChildProcess): Promise<WorkEnd> {
  return new Promise(resolve => {
    let errors = ''
    child.once('spawn', () => {
      try {
        setPriority(child.pid!, NICE)
      } catch {
        // It has ended already.
      }
    })
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      errors = (errors + text).slice(-ERRORS_MAX)
    })
    child.once('error', error => resolve({ code: null, errors: error.message }))
    child.once('close', code => resolve({ code, errors }))
  })
}
