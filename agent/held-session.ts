/**
 * A session that is held until another person approves it (approval-desk.ts): its input is taken whole first, so that
 * it can be approved as well; on a terminal what is typed meanwhile is dropped, and ^C ends the waiting.
 */

import type { ServerChannel } from 'ssh2'
import { concat } from '../src/base/bytes.ts'
import { BoxError } from '../src/base/errors.ts'
import { notRunText, WAITING_WORDS } from '../src/box/approval.ts'
import type { ApprovalDesk, ApprovalEnd, Wanted } from './approval-desk.ts'
import type { Account } from './environment.ts'
import { permits } from './session-account.ts'
import type { Caller } from './ssh-server.ts'

/** A script, as jobs have it; it is held in memory while somebody looks at it. */
const INPUT_MAX = 64 * 1_024
const CONTROL_C = 3

export interface Held {
  readonly channel: ServerChannel
  readonly approvals: Pick<ApprovalDesk, 'ask'>
  readonly caller: Caller
  readonly account: Account
  readonly right: 'exec' | 'shell'
  /** The command, where it is one. */
  readonly detail: string
  readonly onTerminal: boolean
  /** All of it, where it came with the command. */
  readonly input: Uint8Array | null
  /** Aborted when the client has gone. */
  readonly left: AbortSignal
}

/** What it gets as its input once it is approved; null on a terminal, where that is still to come. */
export type Approved = { readonly input: Uint8Array | null }

/** Null where it must not run: the client has been told why, unless it has gone. */
export async function approved(held: Held): Promise<Approved | null> {
  const { channel, approvals, left, onTerminal } = held
  const say = (text: string) => channel.stderr.write(`box: ${text}${onTerminal ? '\r\n' : '\n'}`)
  const over = (why: BoxError): null => {
    if (left.aborted) return null
    say(why.detail)
    channel.exit('TERM', false, notRunText(why))
    channel.end()
    return null
  }
  try {
    const input = onTerminal ? null : (held.input ?? (await wholeInput(channel, left)))
    if (left.aborted) return null
    const waiting = approvals.ask(wantedBy(held, input ?? NOTHING))
    left.addEventListener('abort', () => waiting.withdraw(), { once: true })
    const until = new Date(waiting.expiresAt).toISOString().slice(0, 16).replace('T', ' ')
    const words = WAITING_WORDS.slice('box: '.length)
    say(`${words} by another person, ID ${waiting.id}, until ${until} UTC.`)
    const release = onTerminal ? dropTyped(channel, () => waiting.withdraw()) : () => {}
    const end = await waiting.ended
    release()
    if (end.is !== 'approved') return over(whyNot(end))
    if (!permits(held, held.right, held.detail))
      return over(new BoxError('NOT_PERMITTED', 'Your grant has changed meanwhile.'))
    say(`approved by ${end.by}.`)
    return left.aborted ? null : { input }
  } catch (error) {
    if (error instanceof BoxError) return over(error)
    throw error
  }
}

const NOTHING = new Uint8Array(0)

const wantedBy = (
  { caller, account, right, detail, onTerminal }: Held,
  input: Uint8Array,
): Wanted => ({
  ...{ requester: caller.zone, publicKey: caller.publicKey, user: account.name, input },
  kind: onTerminal ? `${right} on a terminal` : right,
  line: right === 'exec' ? detail : '',
})

function whyNot(end: Exclude<ApprovalEnd, { is: 'approved' }>): BoxError {
  switch (end.is) {
    case 'expired':
      return new BoxError('APPROVAL_EXPIRED')
    case 'withdrawn':
      return new BoxError('APPROVAL_DENIED', 'It was withdrawn.')
    default:
      return new BoxError('APPROVAL_DENIED', `Denied by ${end.by}.`)
  }
}

/** To its end. Throws INPUT_INVALID where it is longer than somebody can be asked about. */
function wholeInput(channel: ServerChannel, left: AbortSignal): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const pieces: Uint8Array[] = []
    let size = 0
    channel.on('data', (piece: Uint8Array) => {
      size += piece.length
      if (size <= INPUT_MAX) pieces.push(piece)
      else reject(new BoxError('INPUT_INVALID', `At most ${INPUT_MAX} bytes of input.`))
    })
    channel.once('end', () => resolve(concat(...pieces)))
    left.addEventListener('abort', () => resolve(NOTHING), { once: true })
  })
}

/** Until what comes back is called. */
function dropTyped(channel: ServerChannel, interrupt: () => void): () => void {
  const typed = (keys: Uint8Array) => {
    if (keys.includes(CONTROL_C)) interrupt()
  }
  channel.on('data', typed)
  return () => {
    channel.off('data', typed)
    channel.pause() // What is typed from now on is for the program.
  }
}
