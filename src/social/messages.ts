/**
 * What two people say to each other over a channel that both have proven themselves on, sealed there (sealed-channel.ts).
 * Letters are numbered; one is acknowledged when it is on the disk of whoever got it. All have one of few sizes.
 */

import { message, rest, u64 } from '../wire/layout.ts'

/** A letter (letter.ts). */
export const TalkSay = message('BOX_TALK_SAY', 0xbd60, { letter: rest })

/** It is kept: it need not be sent again. */
export const TalkAck = message('BOX_TALK_ACK', 0xbd61, { number: u64, padding: rest })
