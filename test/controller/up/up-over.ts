/** All of a `box up` but its sockets, over a context that a test has made. */

import type { FastifyInstance } from 'fastify'
import { AlertSight } from '../../../controller/alerts/alert-sight.ts'
import type { Context } from '../../../controller/context.ts'
import { createApi } from '../../../controller/up/api.ts'
import { FleetWatch } from '../../../controller/up/fleet-watch.ts'
import { RoomHall } from '../../../controller/up/room-hall.ts'
import { TalkHall } from '../../../controller/up/talk-hall.ts'
import { ownToken } from '../../../controller/up/token.ts'
import { WarmShells } from '../../../controller/up/warm-shells.ts'

const FILES = new Map([
  ['index.html', { type: 'text/html; charset=utf-8', text: '<!doctype html>' }],
  ['part-AB12CD34.js', { type: 'text/javascript; charset=utf-8', text: 'export {}' }],
  ['page.js', { type: 'text/javascript; charset=utf-8', text: 'go()' }],
])

export interface Up {
  readonly app: FastifyInstance
  readonly watch: FleetWatch
  readonly shells: WarmShells
  readonly talk: TalkHall
  readonly hall: RoomHall
  readonly token: string
  /** Before the context is closed. */
  close(): Promise<void>
}

export async function upOver(context: Context): Promise<Up> {
  const end = new AbortController()
  const sight = new AlertSight(context)
  const watch = new FleetWatch(context, sight)
  const talk = new TalkHall(context)
  const talking = talk.run(AbortSignal.any([context.signal, end.signal]))
  const token = await ownToken(context.state, context.random)
  const shells = new WarmShells(context)
  const hall = new RoomHall(context)
  const app = await createApi({
    ...{ context, watch, hall, talk, shells, token, files: FILES },
    mesh: await context.mesh(),
    alerts: { sight, deliveries: () => ({ waiting: 0, failed: 0 }) },
  })
  const close = async () => {
    await app.close()
    await hall.close()
    shells.close()
    end.abort(new Error('the test is over'))
    await talking
    await watch.close()
  }
  return { app, watch, shells, talk, hall, token, close }
}

/** Asks as a program with the token does; `more` are options of inject. */
export const askOf = async (
  { app, token }: Up,
  method: 'GET' | 'POST' | 'DELETE',
  url: string,
  payload?: object,
  headers: object = {},
) =>
  app.inject({
    ...{ method, url },
    ...(payload && { payload }),
    headers: { host: 'localhost', authorization: `Bearer ${token}`, ...headers },
  })

/** What an answer of lines of JSON has said. */
export const linesOf = ({ payload }: { readonly payload: string }): Record<string, unknown>[] =>
  payload
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as Record<string, unknown>)
