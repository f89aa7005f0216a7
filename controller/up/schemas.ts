/**
 * The shape of every answer of the local API, as JSON Schema. What is neither here nor in upkeep-schemas.ts does not
 * leave the process.
 */

export const text = { type: 'string' } as const
const texts = { type: 'array', items: text } as const
const number = { type: 'number' } as const
export const integer = { type: 'integer' } as const
export const truth = { type: 'boolean' } as const
export const time = { type: 'string', format: 'date-time' } as const
const numberOrNull = { type: ['number', 'null'] } as const
const integerOrNull = { type: ['integer', 'null'] } as const
export const textOrNull = { type: ['string', 'null'] } as const

export const object = <T extends Record<string, unknown>>(properties: T, about: object = {}) =>
  ({
    type: 'object',
    properties,
    required: Object.keys(properties),
    additionalProperties: false,
    ...about,
  }) as const

export const orNull = (schema: object) => ({ anyOf: [schema, { type: 'null' }] })
const byName = (schema: object) => ({ type: 'object', additionalProperties: schema })

export const failure = object({ code: text, message: text })
const errorBody = object({ code: text, family: text, message: text })

export const ERROR = object(
  { error: errorBody },
  { $id: 'Error', description: 'Why not: `code` is one of docs/errors.md.' },
)

const configuration = object({
  state: text,
  generation: integerOrNull,
  bundle: textOrNull,
  version: integerOrNull,
  unconfirmed: textOrNull,
  last: textOrNull,
  drift: integerOrNull,
})

const status = object({
  load: numberOrNull,
  processors: integerOrNull,
  memory: orNull(object({ total: number, available: number })),
  disks: byName(object({ total: number, used: number })),
  temperatures: byName(number),
  booted_at: textOrNull,
  addresses: texts,
  interfaces: byName(object({ received: number, sent: number })),
  agent_version: textOrNull,
  system: textOrNull,
  configuration: orNull(configuration),
  services: byName(object({ state: text, since: orNull(time) })),
  services_fault: textOrNull,
  clock: orNull(object({ offset_ms: number, error_ms: number, compared_at: orNull(time) })),
  probes: byName(byName({ type: ['number', 'string'] })),
  probe_failures: byName(text),
  other: byName(text),
})

export const ALERT = object(
  {
    ...{ device: text, rule: text, origin: text, state: text, value: text, when: text },
    ...{ since: time, until: orNull(time), acknowledged: truth },
  },
  {
    $id: 'Alert',
    description:
      '`state` is firing, pending or over; `origin` whose rule it is: that of the device, or of the controller.',
  },
)

export const ALERTS = object({
  alerts: { type: 'array', items: { $ref: 'Alert#' } },
  /** Null where all rules are right. */
  fault: textOrNull,
})

export const DEVICE = object(
  {
    name: text,
    zone: text,
    tags: texts,
    paired_at: time,
    stale: truth,
    age_ms: numberOrNull,
    error: orNull(failure),
    status: orNull(status),
    alerts: { type: 'array', items: { $ref: 'Alert#' } },
  },
  {
    $id: 'Device',
    description:
      'A device as it is, or where `stale` is true as it was `age_ms` milliseconds ago. Bytes, degrees, a load of 1 is one processor.',
  },
)

/** The same without references, for whoever writes only that. */
export const WHOLE_DEVICE = object({
  ...DEVICE.properties,
  alerts: { type: 'array', items: object(ALERT.properties) },
})

export const DEVICES = object({ devices: { type: 'array', items: { $ref: 'Device#' } } })

export const ABOUT = object({
  version: text,
  name: textOrNull,
  id: textOrNull,
  peer: text,
  engine: text,
  hubs_connected: integer,
  started_at: time,
})

const reach = {
  scope: byName(orNull(texts)),
  ...{ recorded: truth, approved: truth },
}
export const GRANTS = object({
  grants: {
    type: 'array',
    items: object({
      holder: text,
      holder_zone: text,
      rights: texts,
      ...reach,
      since: time,
      until: orNull(time),
    }),
  },
})

const approval = object({
  ...{ device: text, id: text, kind: text, command: text, user: text, who: text, zone: text },
  ...{ input: object({ size: integer, sha256: text }), key: text, may_approve: truth },
  ...{ asked_at: time, expires_at: time, lines: texts },
})
const approvals = { type: 'array', items: approval } as const
export const APPROVALS = object({ approvals })
export const ALL_APPROVALS = object({
  ...{ approvals, away: texts },
  failed: { type: 'array', items: object({ name: text, code: text, message: text }) },
})
export const JUDGED = object({ verdict: text, approval })

export const AUDIT = object({
  entries: {
    type: 'array',
    items: object({
      ...{ number: integer, at: time, who: text, zone: text, key: text },
      ...{ what: text, detail: text, result: text, hash: text },
    }),
  },
  /** Null where the journal is whole. */
  fault: textOrNull,
})

export const RECORDINGS = object({
  recordings: {
    type: 'array',
    items: object({
      ...{ id: text, state: text, parts: integer, bytes: integer },
      ...{ started_at: time, ended_at: time, who: textOrNull, zone: textOrNull },
      ...{ what: textOrNull, detail: textOrNull },
    }),
  },
})

export const GENERATIONS = object({
  generations: {
    type: 'array',
    items: object({ number: integer, name: text, at: time, files: integer, holds: truth }),
  },
  unconfirmed: textOrNull,
})

export const PLAN = object({
  devices: {
    type: 'array',
    items: object({
      name: text,
      error: orNull(failure),
      changes: {
        type: 'array',
        items: object({ path: text, what: text, lines: texts }),
      },
    }),
  },
})

export const DRIFT = object({
  drift: { type: 'array', items: object({ path: text, bundle: text, what: text }) },
})

const jobRun = object({
  ...{ began_at: time, ended_at: orNull(time), exit_code: integerOrNull, signal: textOrNull },
  ...{ reason: textOrNull, stdout: text, stderr: text, truncated: truth },
})

export const JOBS = object({
  jobs: {
    type: 'array',
    items: object({
      ...{ id: text, device: text, zone: text, line: text, every: textOrNull, relays: texts },
      user: textOrNull,
      ...{ state: text, cancelling: truth, reason: textOrNull },
      ...{ queued_at: time, expires_at: time, next_at: orNull(time) },
      runs: { type: 'array', items: jobRun },
    }),
  },
})

export const RENAMED = object({ name: text, was: text, zone: text })
/** `zone` as it is now. */
export const ROTATED = object({ key: text, name: text, zone: text, was: text })
export const FORGOTTEN = object({ name: text, zone: text })

/** `mode` in octal digits. */
const looks = {
  kind: { ...text, enum: ['file', 'directory', 'link', 'other'] },
  ...{ size: integer, mode: text, uid: integer, gid: integer, modified_at: time },
}
export const FILE = object({ path: text, ...looks })
/** `next`: there are more behind this name; `is_whole` is false where there are more than are ever told. */
export const FILES = object({
  path: text,
  entries: { type: 'array', items: object({ name: text, ...looks, leads_to: textOrNull }) },
  next: textOrNull,
  is_whole: truth,
})
export const FILE_DONE = object({ path: text })
export const FILE_WRITTEN = object({ path: text, size: integer, sha256: text })

export const NAME = object({
  name: text,
  zone: text,
  records: { type: 'array', items: object({ type: text, value: text, expires_at: time }) },
})

export const TAGS = object({ tags: texts })

const points = { type: 'array', items: numberOrNull } as const
export const HISTORY = object(
  {
    at: { type: 'array', items: time },
    series: object({
      ...{ load: points, memory: points, disk: points },
      ...{ heat: points, received: points, sent: points },
    }),
  },
  { description: 'Shares of 1, degrees, bytes by the second; null where it is not known.' },
)

export const GRANTED = object({ holder: text, rights: texts, ...reach, until: orNull(time) })
export const REVOKED = object({ holder: text, holder_zone: text })

export const MAP = object({
  self: text,
  neighbours: { type: 'array', items: object({ peer: text, address: text, is_up: truth }) },
  devices: {
    type: 'array',
    items: object({ name: text, stale: truth, peer: textOrNull, hubs: texts, path: texts }),
  },
})

/** `mode`: provable or deniable. */
export const ROOM = object({ name: text, address: text, host: text, mode: text })
export const ROOMS = object({ rooms: { type: 'array', items: ROOM } })
/** As box room enter --json prints it: of each the parts that it has. */
const roomSaid = {
  type: 'object',
  properties: {
    ...{ room: text, id: text, at: time, what: text, text, file: text, name: text, size: integer },
    ...{ author: text, author_zone: text, person: text, person_zone: text },
  },
  required: ['room', 'id', 'at', 'what'],
  additionalProperties: false,
} as const
/** `failure` says why the host may have more; null: it has not. */
export const ROOM_HISTORY = object({
  messages: { type: 'array', items: roomSaid },
  failure: orNull(failure),
})
export const ROOM_MEMBERS = object({
  members: { type: 'array', items: object({ name: text, zone: text }) },
  failure: orNull(failure),
})
export const INVITED = object({ room: text, person_zone: text, address: text })
export const NOTHING = object({})

export const CONTACT = object(
  {
    ...{ name: text, zone: text, known: text, by: textOrNull, relays: texts, before: texts },
    ...{ there: truth, unread: integer, waiting: integer },
  },
  {
    $id: 'Contact',
    description:
      '`known`: paired, introduced (`by` whom), unverified, or offered: introduced and not accepted yet. `before`: the keys they had before, which led to this one; `there`: there is a channel to them; `unread`: what they said and nobody here has looked at; `waiting`: what they do not have yet.',
  },
)
export const CONTACTS = object({ contacts: { type: 'array', items: { $ref: 'Contact#' } } })

const knownContact = { name: text, zone: text, known: text }
export const KNOWN_CONTACT = object(knownContact)
/** The words are null where a key was typed. */
export const TAKEN_IN = object({ ...knownContact, check_words: orNull(texts) })
export const INTRODUCED = object({ introduced: texts, is: texts })

/** Of something said: it is with them, with a relay of theirs, or here. */
const delivery = { type: ['string', 'null'], enum: ['heard', 'left', 'waits', null] } as const
export const SAID = object({
  number: integer,
  at: time,
  is: { ...text, enum: ['heard', 'left', 'waits'] },
})
export const TALK = object({
  messages: {
    type: 'array',
    items: {
      type: 'object',
      properties: {
        ...{ contact: text, zone: text, by: { ...text, enum: ['me', 'them'] }, number: integer },
        ...{ at: time, what: text, text, person: text, person_zone: text, delivery },
        ...{ file: text, name: text, size: integer },
      },
      required: ['contact', 'zone', 'by', 'number', 'at', 'what', 'delivery'],
      additionalProperties: false,
    },
  },
})

export const LOGIN_LINK = object({ url: text, expires_at: time })

export const LOGIN = object({ key: text, expires_at: time })

/** Of routes that answer with a stream. */
export const streamed = (type: string, description: string) => ({
  description,
  content: { [type]: { schema: text } },
})

const NAME_PARAMETER = {
  params: object({ name: { type: 'string', minLength: 1, maxLength: 255 } }),
}

interface RouteAbout {
  readonly summary: string
  readonly answer: object
  readonly body?: object
  readonly querystring?: object
}

export const ERROR_ANSWERS = { '4xx': { $ref: 'Error#' }, '5xx': { $ref: 'Error#' } }

/** What a route says about itself; every one of them may fail. */
export const about = ({ summary, answer, ...more }: RouteAbout) => ({
  summary,
  ...more,
  response: { 200: answer, ...ERROR_ANSWERS },
})

/** The same of a route about one device or name. */
export const aboutOne = (route: RouteAbout) => ({ ...NAME_PARAMETER, ...about(route) })

export const options = (properties: Record<string, unknown>, required: readonly string[] = []) => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
})

/** In requests. */
export const USER = {
  ...{ type: 'string', minLength: 1, maxLength: 255 },
  description: 'As which user of the device; unless told otherwise, as whoever its agent runs as.',
}
