/**
 * The framed form of PSYC for CADET: a message is a frame (691) of parts, METHOD, then modifiers, then data,
 * then END or CANCEL. Numbers and layouts are those of GNUnet's former psyc service (gnunet_protocols.h
 * still reserves them).
 */

import { textNul } from '../wire/fields.ts'
import { bytes, message, rest, u8, u16, u32, u64 } from '../wire/layout.ts'

/** A message of a place, or a fragment of one: what its parts belong to, then the parts. */
export const PsycMessage = message('PSYC_MESSAGE', 691, {
  flags: u32,
  messageId: u64,
  fragmentOffset: u64,
  /** Who said it; zero where that was the host of the place. */
  author: bytes(32),
  parts: rest,
})

/** A message outside of a place (a request to enter, and its answer): parts only. */
export const PsycMessagePlain = message('PSYC_MESSAGE (plain)', 691, { parts: rest })

/** The first part. */
export const PsycMethod = message('PSYC_METHOD', 693, {
  flags: u32,
  stateDelta: u64,
  name: textNul,
})

/** A modifier: its operator, its name and as much of its value as fits. */
export const PsycModifier = message('PSYC_MODIFIER', 694, {
  valueSize: u32,
  /** With its NUL. */
  nameSize: u16,
  operator: u8,
  name: textNul,
  value: rest,
})

/** More of the value. */
export const PsycModifierContinued = message('PSYC_MODIFIER_CONT', 695, { value: rest })
/** Some of the data. */
export const PsycData = message('PSYC_DATA', 696, { data: rest })
/** The message is whole. */
export const PsycEnd = message('PSYC_END', 697, {})
/** The message is taken back. */
export const PsycCancel = message('PSYC_CANCEL', 698, {})
