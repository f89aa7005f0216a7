/**
 * `box-seat WORDS`: see seat.ts. It loads all it needs before it becomes somebody who may not be able to read it.
 *
 * From then on the user can signal it, and no more: a process that was root is not one to be traced, and the signal
 * by which Node would open its debugger is taken away.
 */

import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import type { Identity } from '../environment.ts'
import { Region } from '../sftp/region.ts'
import { SftpSession } from '../sftp/session.ts'
import { OwnSockets } from '../sockets.ts'
import { EXIT_NOT_SEATED, type SeatWords, type SeatWork } from './seat.ts'
import { serveSockets } from './socket-service.ts'

/** What a shell reports where it cannot run the program at all. */
const EXIT_NOT_RUN = 127
/** Those that Node cannot take, or that come from what the process itself does. */
const LEFT_ALONE = /^SIG(KILL|STOP|SEGV|BUS|FPE|ILL|TRAP|ABRT|CHLD|PROF|IOT|SYS)$/

type Work<T extends SeatWork['do']> = Extract<SeatWork, { do: T }>

/** For good: user, group and groups, real, effective and saved. Throws where that cannot be. */
function become({ uid, gid, groups }: Identity): void {
  process.on('SIGUSR1', () => {})
  process.setgroups!([...groups])
  process.setgid!(gid)
  process.setuid!(uid)
  const is = [process.getuid!(), process.geteuid!(), process.getgid!(), process.getegid!()]
  if (is.join() !== [uid, uid, gid, gid].join()) throw new Error('still somebody else')
}

/** The signals of its group are the command's: this process stays until that has ended. */
function run({ shell, command, cwd, env }: Work<'run'>): void {
  const names = Object.keys(constants.signals) as NodeJS.Signals[]
  for (const name of names) if (!LEFT_ALONE.test(name)) process.on(name, () => {})
  const child = spawn(shell, ['-c', command], { cwd, env, stdio: 'inherit' })
  child.once('error', () => process.exit(EXIT_NOT_RUN))
  child.once('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? EXIT_NOT_RUN)
    process.removeAllListeners(signal) // Also that of `become`: it would be deaf to its own.
    process.kill(process.pid, signal)
  })
}

async function serveFiles({ home, paths }: Work<'files'>): Promise<void> {
  const files = new SftpSession({ region: await Region.open(home, paths), now: Date.now })
  const { stdin, stdout } = process
  stdout.on('error', () => process.exit(1)) // The agent has gone, and nobody takes a reply.
  const reply = (packet: Uint8Array) =>
    new Promise<void>(resolve => void stdout.write(packet, () => resolve()))
  process.exit(await files.serve(stdin, reply))
}

const words = JSON.parse(process.argv[2] ?? '{}') as SeatWords
try {
  become(words.identity)
  if (words.do === 'run') run(words)
  else if (words.do === 'files') void serveFiles(words)
  else serveSockets(process, new OwnSockets())
} catch (error) {
  process.stderr.write(`box: ${String(error)}\n`)
  process.exit(EXIT_NOT_SEATED)
}
