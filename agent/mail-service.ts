/**
 * A relay for letters between people (src/social/envelope.ts), and for files to who is away (file-post.ts). Whoever may
 * push here may have a mailbox here; whoever names one of its drops may take the card there and put a letter in, or a file,
 * and need not say who they are.
 */

import type { Clock } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import type { Log } from '../src/base/log.ts'
import type { Admission, Session } from '../src/box/handshake.ts'
import { decodeMailbox, MAILBOX_BYTES_MAX } from '../src/box/mail-talk.ts'
import { type Json, type PushKind, PushTalk } from '../src/box/push-talk.ts'
import { CELL_SIZES } from '../src/psyc/padding.ts'
import { DROP_SIZE } from '../src/social/bond.ts'
import type { AuditNotes } from './audit-notes.ts'
import { handFile, takeFile } from './file-post.ts'
import type { FileShelf } from './file-shelf.ts'
import type { KeptLetter, MailShelf } from './mail-shelf.ts'

/** A mailbox that is full is emptied in a few visits. */
const REQUESTS_MAX = 512
/** Of one answer, which is one message; the rest is told when these are taken. */
const TOLD_MAX = 128
const LETTER_BYTES_MAX = CELL_SIZES[CELL_SIZES.length - 1]!
const NOTHING = new Uint8Array(0)

export interface MailOptions {
  readonly clock: Clock
  readonly log: Log
  readonly shelf: MailShelf
  /** Null where it keeps no files. */
  readonly files: FileShelf | null
  readonly audit: AuditNotes
  /** Whether somebody may have a mailbox here. */
  readonly allows: (zone: ZoneKey) => boolean
}

/** Whoever names no drop that there is, and has no mailbox, learns that they are not permitted, and nothing more. */
export function admitToMail(
  zone: ZoneKey,
  drop: Uint8Array,
  { shelf, allows }: Pick<MailOptions, 'shelf' | 'allows'>,
): Admission {
  const owner = drop.length === 0 ? zone : shelf.ownerOf(drop)
  return owner && allows(owner) ? { payload: NOTHING } : { refused: 'NOT_PERMITTED' }
}

/** Serves one channel. Never fails; the channel is closed when this resolves. */
export async function serveMail(session: Session, options: MailOptions): Promise<void> {
  const { channel, payload, peerZone } = session
  const talk = new PushTalk(channel, options.clock)
  const answer = (kind: PushKind | null, body: Json) =>
    payload.length === DROP_SIZE
      ? serveWriter(talk, payload, kind, body, options)
      : serveOwner(talk, peerZone, kind, body, options)
  await talk.serve(REQUESTS_MAX, answer, (kind, why) =>
    options.log.note('info', 'mail', 'refused', { kind, why: why.detail }),
  )
}

async function serveWriter(
  talk: PushTalk,
  drop: Uint8Array,
  kind: PushKind | null,
  body: Json,
  { shelf, files }: MailOptions,
): Promise<void> {
  switch (kind) {
    case 'card': {
      const card = shelf.card(drop)
      if (!card) throw new BoxError('NOT_PERMITTED')
      talk.answer({ size: card.length })
      return await talk.sendParts(card)
    }
    case 'post':
      shelf.put(drop, await talk.takeParts(body.size, LETTER_BYTES_MAX))
      return talk.answer({})
    case 'store':
    case 'bring':
    case 'stored':
    case 'unstore':
      return await takeFile(talk, drop, kind, body, files)
    default:
      throw new BoxError('PUSH_REFUSED', 'Nothing of the kind is done at a drop.')
  }
}

async function serveOwner(
  talk: PushTalk,
  owner: ZoneKey,
  kind: PushKind | null,
  body: Json,
  { shelf, files, audit, allows }: MailOptions,
): Promise<void> {
  if (!allows(owner)) throw new BoxError('NOT_PERMITTED')
  switch (kind) {
    case 'mailbox': {
      const drops = decodeMailbox(await talk.takeParts(body.size, MAILBOX_BYTES_MAX))
      const isNew = !shelf.hasMailbox(owner)
      shelf.setMailbox(owner, drops)
      files?.tidy()
      if (isNew) audit.note({ zone: owner, what: 'relay', detail: 'mailbox', result: 'kept' })
      return talk.answer({})
    }
    case 'mail': {
      const letters = shelf.waitingFor(owner).slice(0, TOLD_MAX)
      return talk.answer({ letters: letters.map(one => ({ id: idOf(one), drop: one.drop })) })
    }
    case 'letter': {
      const letter = shelf.get(find(shelf, owner, body))
      if (!letter) throw new BoxError('PUSH_REFUSED', GONE)
      talk.answer({ size: letter.length })
      return await talk.sendParts(letter)
    }
    case 'lettered':
      shelf.drop(find(shelf, owner, body))
      return talk.answer({})
    case 'stored':
    case 'hand':
    case 'unstore':
      return await handFile(talk, owner, kind, body, files)
    default:
      throw new BoxError('PUSH_REFUSED', 'A relay does nothing of the kind.')
  }
}

const GONE = 'This is not kept here any more.'
const idOf = ({ drop, number, at }: KeptLetter): string => `${drop}-${number}-${at}`

function find(shelf: MailShelf, owner: ZoneKey, { id }: Json): KeptLetter {
  const kept = shelf.waitingFor(owner).find(one => idOf(one) === id)
  if (kept) return kept
  throw new BoxError('PUSH_REFUSED', GONE)
}
