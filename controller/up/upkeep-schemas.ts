/** The shapes of answers about what keeps a fleet and an identity whole: hubs, revocations in GNS, upgrades of agents. */

import { failure, integer, object, orNull, text, textOrNull, time, truth } from './schemas.ts'

/** Of lines of JSON. */
export const LINES = 'application/x-ndjson'

const hub = object({ peer: text, hello: text, addresses: text })
export const HUB = hub
export const HUBS = object({ hubs: { type: 'array', items: hub } })

export const ADDED = object({ name: text, zone: text })

export const REVOCATION = object(
  {
    ...{ name: text, zone: text, revoked: truth, revoked_until: orNull(time) },
    certificate: orNull(
      object({
        ...{ ready: truth, years: integer, tries: integer },
        ...{ expected_tries: { type: 'number' }, done_percent: integer },
      }),
    ),
    /** `box up` works for it at the moment. */
    working: truth,
  },
  { description: 'The certificate itself stays here: whoever has it can revoke the zone.' },
)
export const ZONE_REVOKED = object({ name: text, zone: text, until: time })

const release = object({
  ...{ id: text, version: text, machine: text, size: integer, sha256: text, expires_at: time },
})
export const RELEASE = release
export const RELEASES = object({ releases: { type: 'array', items: release } })

/** `gave_way`: a device went back from this version the last time. */
export const UPGRADE_PLAN = object({
  devices: {
    type: 'array',
    items: object({
      name: text,
      does: { ...text, enum: ['upgrade', 'downgrade', 'unchanged', 'offline', 'refused'] },
      ...{ machine: textOrNull, version: textOrNull, to: textOrNull, gave_way: truth },
      error: orNull(failure),
    }),
  },
})

const upgradeRun = object({
  ...{ running: truth, stopping: truth, begun_at: time, downgrade: truth },
  releases: { type: 'array', items: object({ version: text, machine: text }) },
  devices: {
    type: 'array',
    items: object({
      ...{ name: text, doing: textOrNull, result: textOrNull },
      ...{ version: textOrNull, before: textOrNull, error: orNull(failure) },
    }),
  },
})
/** Null where there was none since `box up` began. */
export const UPGRADE = object({ upgrade: orNull(upgradeRun) })
