/**
 * A program whose streams are recorded on their way. Whoever uses it notices nothing; where the recording fails,
 * the program is hung up.
 */

import { pipeline, type Readable, Transform, type Writable } from 'node:stream'
import type { Clock } from '../src/base/clock.ts'
import type { Keeping, TerminalProgram } from './lasting-shell.ts'
import { type Program, resultOf } from './program.ts'
import type { Recording, StreamName } from './recording.ts'

/** A program that was hung up and goes on nonetheless shows nothing any more. */
const LINGER_MS = 2_000
/** How a recording ends where its program does not. */
const LEFT = 'the agent has ended, the shell goes on'

export function recordedProgram(program: Program, recording: Recording, clock: Clock): Program {
  const output = tapped(program.output, recording, 'output')
  const errors = program.errors && tapped(program.errors, recording, 'errors')
  const input = tap(recording, 'input')
  pipeline(input, program.input, () => {})
  const hangUp = () => {
    program.hangUp()
    output.destroy()
    errors?.destroy()
  }
  recording.onFailure(hangUp)
  const closed = [output, errors].map(
    stream =>
      new Promise<void>(resolve => void (stream ? stream.once('close', resolve) : resolve())),
  )
  void Promise.all(closed).then(async () => recording.end(await endOf(program, clock)))
  return {
    ...{ pid: program.pid, output, errors, input, exited: program.exited, recording },
    signal: name => program.signal(name),
    hangUp,
  }
}

/** As `recordedProgram`, with what is particular to a terminal; where it is left, its recording ends here. */
export function recordedTerminal(
  program: TerminalProgram,
  recording: Recording,
  clock: Clock,
): TerminalProgram {
  const { keeping } = program
  return {
    ...recordedProgram(program, recording, clock),
    resize: (columns, rows) => {
      recording.resize(columns, rows)
      program.resize(columns, rows)
    },
    ...(keeping && { keeping: recordedKeeping(keeping, recording) }),
  }
}

const recordedKeeping = (keeping: Keeping, recording: Recording): Keeping => ({
  get endedAt() {
    return keeping.endedAt
  },
  see: isSeen => keeping.see(isSeen),
  leave: () => {
    recording.end(LEFT)
    keeping.leave()
  },
})

const tap = (recording: Recording, name: StreamName): Transform => {
  const stream = new Transform({
    transform: (chunk: Uint8Array, _encoding, done) => {
      recording.take(name, chunk)
      done(null, chunk)
    },
  })
  stream.on('error', () => {}) // Its end comes as `close`.
  return stream
}

const tapped = (from: Readable, recording: Recording, name: StreamName): Readable & Writable =>
  pipeline(from, tap(recording, name), () => {})

function endOf(program: Program, clock: Clock): Promise<string> {
  return new Promise(resolve => {
    const silence = clock.after(LINGER_MS, () => resolve(resultOf(null)))
    void program.exited.then(exit => {
      silence.cancel()
      resolve(resultOf(exit))
    })
  })
}
