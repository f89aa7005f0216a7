/**
 * What people say to each other over a channel that both have proven themselves on, sealed there (sealed-channel.ts).
 * Letters are numbered; one is acknowledged when it is on the disk of whoever got it. Files that were offered are handed
 * out over channels of their own. All messages have one of few sizes.
 */

import { counted, lengthOf, message, rest, u16, u32, u64 } from '../wire/layout.ts'

/** A letter (letter.ts). */
export const TalkSay = message('BOX_TALK_SAY', 0xbd60, { letter: rest })

/** It is kept: it need not be sent again. */
export const TalkAck = message('BOX_TALK_ACK', 0xbd61, { number: u64, padding: rest })

/** Of the file that this port is for: all chunks from this one on. Once a channel. */
export const FileAsk = message('BOX_FILE_ASK', 0xbd62, { index: u64, padding: rest })

/** A chunk, and the hashes that lead from it to the root (file-part.ts). */
export const FilePart = message('BOX_FILE_PART', 0xbd63, {
  index: u64,
  proofSize: lengthOf('proof', u16),
  proof: counted('proofSize'),
  sealedSize: lengthOf('sealed', u32),
  sealed: counted('sealedSize'),
  padding: rest,
})

/** The file is not there any more, or is another one by now. */
export const FileGone = message('BOX_FILE_GONE', 0xbd64, { padding: rest })

/** All of it has come and was right. Whoever handed it out may close. */
export const FileHave = message('BOX_FILE_HAVE', 0xbd65, { padding: rest })
