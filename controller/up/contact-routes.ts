/** Routes about people: who is known, taking somebody in by a code, a key or an introduction, and forgetting them. */

import type { FastifyInstance } from 'fastify'
import { BoxError } from '../../src/base/errors.ts'
import { formatPairingCode, parsePairingCode } from '../../src/box/pairing-code.ts'
import { zoneToText } from '../../src/gns/name.ts'
import type { Context } from '../context.ts'
import {
  acceptOffer,
  addByKey,
  forgetContact,
  freeName,
  introduceContacts,
  zoneIn,
} from '../talk/acquaintance.ts'
import { enterCode, showCode } from '../talk/befriending.ts'
import { type Contact, ContactBook } from '../talk/contact-book.ts'
import { SealedState } from '../talk/sealed-state.ts'
import {
  about,
  aboutOne,
  CONTACTS,
  FORGOTTEN,
  INTRODUCED,
  KNOWN_CONTACT,
  options,
  streamed,
  TAKEN_IN,
} from './schemas.ts'
import { beginStream, tooMany, whileRead } from './streams.ts'
import type { TalkHall } from './talk-hall.ts'

const MINUTES = 10
const MINUTES_MAX = 60
const TIMEOUT_S = 30
const TIMEOUT_S_MAX = 300
/** Each listens in the mesh for whoever has it. */
const CODES_MAX = 4

const text = { type: 'string', minLength: 1, maxLength: 255 }

type Named = { Params: { name: string } }

interface AddBody {
  readonly as: string
  readonly key?: string
  readonly code?: string
  readonly timeout_s?: number
}

export function contactRoutes(app: FastifyInstance, context: Context, hall: TalkHall): void {
  const opened = async () => {
    const sealed = await SealedState.open(context.state, context.random)
    return { sealed, book: new ContactBook(sealed) }
  }
  app.get(
    '/v1/contacts',
    { schema: about({ summary: 'The people you talk to', answer: CONTACTS }) },
    async () => ({ contacts: hall.people() }),
  )
  app.post<{ Body: AddBody }>(
    '/v1/contacts',
    {
      schema: about({
        summary: 'Takes in whoever shows a code, or has a key; both must have the other one',
        body: options(
          {
            ...{ as: text, key: text, code: text },
            timeout_s: { type: 'number', exclusiveMinimum: 0, maximum: TIMEOUT_S_MAX },
          },
          ['as'],
        ),
        answer: TAKEN_IN,
      }),
    },
    async ({ body }) => {
      const { book } = await opened()
      const taken = await takeIn(context, book, body)
      hall.contactsChanged()
      return taken
    },
  )
  app.post<Named & { Body: { to: string } }>(
    '/v1/contacts/:name/rename',
    {
      schema: aboutOne({
        summary: 'Another name for a contact, who is not told',
        body: options({ to: text }, ['to']),
        answer: KNOWN_CONTACT,
      }),
    },
    async ({ params, body }) => {
      const renamed = await (await opened()).book.rename(params.name, body.to)
      hall.contactsChanged()
      return contactValue(renamed)
    },
  )
  app.delete<Named>(
    '/v1/contacts/:name',
    { schema: aboutOne({ summary: 'Forgets somebody, and all that was said', answer: FORGOTTEN }) },
    async ({ params }) => {
      const { book, sealed } = await opened()
      const { name, zone } = await forgetContact(book, sealed, params.name)
      hall.contactsChanged()
      return { name, zone: zoneToText(zone) }
    },
  )
  introductionRoutes(app, context, hall)
  codeRoute(app, context, hall)
}

async function takeIn(
  context: Context,
  book: ContactBook,
  { as, key, code, timeout_s = TIMEOUT_S }: AddBody,
): Promise<object> {
  const name = freeName(book, as)
  if ((key === undefined) === (code === undefined))
    throw new BoxError('INPUT_INVALID', 'Either a key or a code.')
  if (code !== undefined) {
    const limits = { as: name, timeoutMs: timeout_s * 1_000 }
    const met = await enterCode(context, book, parsePairingCode(code), limits)
    return { ...contactValue(met.contact), check_words: met.checkWords }
  }
  const zone = zoneIn(key!)
  if (!zone) throw new BoxError('INPUT_INVALID', 'That is no key: see box id.')
  return { ...contactValue(await addByKey(context, book, zone, name)), check_words: null }
}

const contactValue = ({ name, zone, known }: Contact) => ({
  ...{ name, zone: zoneToText(zone), known: known.is },
})

/** Somebody who knows both. */
function introductionRoutes(app: FastifyInstance, context: Context, hall: TalkHall): void {
  app.post<Named & { Body: { as?: string } }>(
    '/v1/contacts/:name/accept',
    {
      schema: aboutOne({
        summary: 'Takes in somebody who was introduced, by their name or key',
        body: options({ as: text }),
        answer: KNOWN_CONTACT,
      }),
    },
    async ({ params, body }) => {
      const book = new ContactBook(await SealedState.open(context.state, context.random))
      const accepted = await acceptOffer(context, book, params.name, body.as)
      hall.contactsChanged()
      return contactValue(accepted)
    },
  )
  app.post<Named & { Body: { to: string } }>(
    '/v1/contacts/:name/introduce',
    {
      schema: aboutOne({
        summary: 'Tells two contacts each other’s key, signed by you; `is`: where that is now',
        body: options({ to: text }, ['to']),
        answer: INTRODUCED,
      }),
    },
    async ({ params, body }) => {
      const names = [params.name, body.to] as const
      const { contacts, is } = await introduceContacts(context, await hall.desk(), names)
      return { introduced: contacts.map(({ name }) => name), is }
    },
  )
}

/** Shows a code for as long as somebody reads the answer. */
function codeRoute(app: FastifyInstance, context: Context, hall: TalkHall): void {
  let shown = 0
  const minutes = { type: 'number', exclusiveMinimum: 0, maximum: MINUTES_MAX }
  app.post<{ Body: { as?: string; minutes?: number } }>(
    '/v1/contact-codes',
    {
      schema: about({
        summary: 'Shows a code that somebody else types; it is good once, and while this is read',
        body: options({ as: text, minutes }),
        answer: streamed(
          'application/x-ndjson',
          'Lines of JSON: `code`, then `name`, `zone`, `known`, `check_words`, or `error`.',
        ),
      }),
    },
    async ({ body }, reply) => {
      const book = new ContactBook(await SealedState.open(context.state, context.random))
      const as = body.as === undefined ? null : freeName(book, body.as)
      if (shown >= CODES_MAX) throw tooMany('Too many codes are shown already.')
      shown += 1
      const raw = beginStream(reply, 'application/x-ndjson')
      const line = (value: object) =>
        void (raw.destroyed || raw.write(`${JSON.stringify(value)}\n`))
      try {
        const { contact, checkWords } = await showCode(whileRead(context, raw), book, {
          ...{ as, minutes: body.minutes ?? MINUTES },
          show: code => line({ code: formatPairingCode(code), minutes: body.minutes ?? MINUTES }),
        })
        hall.contactsChanged()
        line({ ...contactValue(contact), check_words: checkWords })
      } catch (error) {
        if (!(error instanceof BoxError)) throw error
        line({ error: { code: error.code, message: error.message } })
      } finally {
        shown -= 1
      }
      raw.end()
      return reply
    },
  )
}
