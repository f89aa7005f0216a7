/**
 * Routes about who we are: another key for us, or for our ssh, and the end of somebody's key on all devices. What cannot
 * be undone has to be said twice. Nothing that is secret is in any answer.
 */

import type { FastifyInstance } from 'fastify'
import { zoneToText } from '../../src/gns/name.ts'
import type { Context } from '../context.ts'
import { mustBeOurs, renewEgo } from '../ego-rotation.ts'
import { keyOf, revokeEverywhere } from '../key-revocation.ts'
import { renewSshKey } from '../ssh-key.ts'
import { answerInLines, atMost, inTheWay, mustBeConfirmed } from './line-answer.ts'
import type { RoomHall } from './room-hall.ts'
import { about, options, streamed } from './schemas.ts'
import type { TalkHall } from './talk-hall.ts'
import { LINES } from './upkeep-schemas.ts'
import type { WarmShells } from './warm-shells.ts'

const TIMEOUT_MS = 30_000
const KEYS = ['ego', 'ssh'] as const

const text = { type: 'string', minLength: 1, maxLength: 255 }

/** Who has to know at once that our key is another one. */
export interface Knowing {
  readonly hall: Pick<RoomHall, 'keyChanged'>
  readonly talk: Pick<TalkHall, 'keyChanged'>
  readonly shells: Pick<WarmShells, 'close'>
}

type RotateBody = { readonly key: (typeof KEYS)[number]; readonly confirm?: string }

export function identityRoutes(
  app: FastifyInstance,
  context: Context,
  { hall, talk, shells }: Knowing,
): void {
  const once = atMost(1, () => inTheWay('A new key is being told already.'))
  app.post<{ Body: RotateBody }>(
    '/v1/rotate',
    {
      schema: about({
        summary: 'Gives us another key, or our ssh one; with `ego`, `confirm` is your name here',
        body: options({ key: { enum: KEYS }, confirm: text }, ['key']),
        answer: streamed(
          LINES,
          'Lines of JSON: the new `id` and that `before`, then each device, room and contact with its `result`, as box rotate --json; `exit_code` is the last one.',
        ),
      }),
    },
    async ({ body: { key, confirm = '' } }, reply) => {
      if (key === 'ssh')
        return await answerInLines(context, reply, async ({ say }) => {
          await renewSshKey(context.state, context.random)
          say({ key: 'ssh' })
          say({ exit_code: 0 })
        })
      mustBeOurs(context)
      mustBeConfirmed(confirm, context.ego().name)
      return await once(() =>
        answerInLines(context, reply, async ({ say, output }) => {
          const changed = () => {
            // Devices end what was logged in by the key before.
            shells.close()
            hall.keyChanged()
          }
          const contacts = () => talk.keyChanged(output)
          const told = { ...context, output }
          const code = await renewEgo(told, { timeoutMs: TIMEOUT_MS, changed, contacts })
          say({ exit_code: code })
        }),
      )
    },
  )
  revokeRoute(app, context)
}

function revokeRoute(app: FastifyInstance, context: Context): void {
  const once = atMost(1, () => inTheWay('A key is being revoked already.'))
  app.post<{ Body: { readonly person: string; readonly confirm: string } }>(
    '/v1/revoke',
    {
      schema: about({
        summary:
          'Ends a key on all devices, also those that are off now; `person` is a name of a grant, or a key, and `confirm` the same again',
        body: options({ person: text, confirm: text }, ['person', 'confirm']),
        answer: streamed(
          LINES,
          'Lines of JSON: `revoked`, then each device with its `result`, as box revoke @all --json; `exit_code` is the last one.',
        ),
      }),
    },
    async ({ body: { person, confirm } }, reply) => {
      mustBeConfirmed(confirm, person)
      return await once(async () => {
        const zone = await keyOf(context, person, TIMEOUT_MS)
        return await answerInLines(context, reply, async ({ say, output }) => {
          say({ revoked: zoneToText(zone) })
          say({ exit_code: await revokeEverywhere({ ...context, output }, zone, TIMEOUT_MS) })
        })
      })
    },
  )
}
