/** `box up` as a process: the mesh, the fleet that is followed, the API, until it is told to end. */

import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { BoxError } from '../../src/base/errors.ts'
import { LOANS_MAX, lender } from '../../src/mesh/loan/lender.ts'
import type { Mesh } from '../../src/mesh/mesh.ts'
import { listenUnix } from '../../src/sys/unix-socket.ts'
import { AlertSight } from '../alerts/alert-sight.ts'
import { AlertWatch } from '../alerts/alert-watch.ts'
import { type Context, ERRAND_SOCKET, LOAN_SOCKET } from '../context.ts'
import { ERRANDS_MAX, errandDesk } from '../errands/desk.ts'
import { watchJobs } from '../jobs/job-watch.ts'
import { Output } from '../output.ts'
import { keepPublished } from '../publication.ts'
import { dropAddress, keepAddress } from './address.ts'
import { createApi } from './api.ts'
import { FleetWatch, type FollowDevice } from './fleet-watch.ts'
import { pageFiles } from './page-files.ts'
import { RoomHall } from './room-hall.ts'
import { TalkHall } from './talk-hall.ts'
import { ownToken, TOKEN_FILE } from './token.ts'
import { WarmShells } from './warm-shells.ts'

const LOOPBACK = '127.0.0.1'

/** Stays until the signal of the context. Fails with ADDRESS_IN_USE, NO_EGO, STATE_UNREADABLE, ALERT_INVALID. */
export async function stayUp(
  context: Context,
  port: number,
  followDevice?: FollowDevice,
): Promise<void> {
  const { state, random, signal, output, fleet } = context
  context.ego()
  const token = await ownToken(state, random)
  const quiet = { ...context, output: silent(context) }
  const sight = new AlertSight(quiet)
  if (sight.fault !== null) throw new BoxError('ALERT_INVALID', sight.fault)
  const mesh = await context.mesh()
  const shells = new WarmShells(context)
  const sockets = await openSockets(quiet, mesh, shells)
  await dropAddress(state)
  const watch = new FleetWatch(quiet, sight, followDevice)
  const alerts = new AlertWatch(quiet, {
    sight,
    views: () => watch.views(),
    changed: view => watch.changed(view),
    happened: alert => watch.alerted(alert),
  })
  const hall = new RoomHall(quiet)
  const end = new AbortController()
  const ended = AbortSignal.any([signal, end.signal])
  const talk = new TalkHall({ ...quiet, signal: ended })
  const beside = Promise.all([
    ...[watchJobs(quiet, ended), keepPublished(quiet, ended)],
    ...[alerts.run(ended), talk.run(ended)],
  ])
  try {
    const app = await createApi({
      ...{ context: quiet, watch, hall, talk, mesh, shells, token, files: pageFiles() },
      alerts: { sight, deliveries: () => alerts.deliveries },
    })
    try {
      hall.stay(mesh)
      const api = await listen(app, port)
      await keepAddress(state, api)
      const path = join(state.directory, TOKEN_FILE)
      const devices = fleet.devices().length
      output.result(`up at ${api}, token in ${path}`, { api, token: path, devices })
      await aborted(signal)
    } finally {
      await dropAddress(state)
      await app.close()
    }
  } finally {
    sockets.close()
    end.abort()
    shells.close()
    await beside
    await watch.close()
  }
}

/** By which other commands of the same state use our peer, and our connections. Fails with ADDRESS_IN_USE. */
async function openSockets(
  context: Context,
  mesh: Mesh,
  shells: WarmShells,
): Promise<{ close(): void }> {
  const pathOf = (name: string) => join(context.state.directory, name)
  const lending = await listenUnix(pathOf(LOAN_SOCKET), lender(mesh), { connectionsMax: LOANS_MAX })
  try {
    const errands = await listenUnix(pathOf(ERRAND_SOCKET), errandDesk(context, shells.take), {
      connectionsMax: ERRANDS_MAX,
    })
    return {
      close: () => {
        errands.close()
        lending.close()
      },
    }
  } catch (error) {
    lending.close()
    throw error
  }
}

async function listen(app: FastifyInstance, port: number): Promise<string> {
  try {
    return await app.listen({ host: LOOPBACK, port })
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new BoxError('ADDRESS_IN_USE', `${LOOPBACK}:${port}: ${code}.`, cause)
  }
}

/** What is asked through the API shows no progress on our terminal. */
const silent = ({ clock }: Context): Output => {
  const nowhere = { isTerminal: false, write: () => {} }
  return new Output({ json: true, out: nowhere, err: nowhere, clock })
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
