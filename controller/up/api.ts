/**
 * The local API: what `box` can do, for programs of this machine. HTTP on a loopback port; every
 * answer by a schema, the whole described at /openapi.json. The only file that makes a server.
 *
 * It stays up whatever it is asked: bodies, headers, connections and times have limits.
 */

import swagger, { type FastifyDynamicSwaggerOptions as DynamicOptions } from '@fastify/swagger'
import { type FastifyError, type FastifyInstance, fastify } from 'fastify'
import { BoxError, type Family } from '../../src/base/errors.ts'
import { VERSION } from '../../src/base/version.ts'
import type { Mesh } from '../../src/mesh/mesh.ts'
import type { AlertParts } from '../alerts/alert-watch.ts'
import type { Context } from '../context.ts'
import { admitOnly } from './access.ts'
import { alertRoutes } from './alert-routes.ts'
import { approvalRoutes } from './approval-routes.ts'
import { limitArrival } from './arrival.ts'
import { contactRoutes } from './contact-routes.ts'
import { deviceRoutes } from './device-routes.ts'
import { DeviceSftp } from './device-sftp.ts'
import { fileBytesRoutes } from './file-bytes.ts'
import { fileRoutes } from './file-routes.ts'
import { metricsRoute } from './fleet-metrics.ts'
import { fleetRoutes } from './fleet-routes.ts'
import { FleetTexts } from './fleet-texts.ts'
import type { FleetWatch } from './fleet-watch.ts'
import { grantRoutes } from './grant-routes.ts'
import { hubRoutes } from './hub-routes.ts'
import { identityRoutes } from './identity-routes.ts'
import { jobRoutes } from './job-routes.ts'
import { mapRoute } from './map-route.ts'
import { offerRoutes } from './offer-routes.ts'
import { type PageFiles, pagePaths, pageRoutes } from './page-routes.ts'
import { pushRoutes } from './push-routes.ts'
import { revocationRoutes } from './revocation-routes.ts'
import type { RoomHall } from './room-hall.ts'
import { roomOwnerRoutes } from './room-owner-routes.ts'
import { roomRoutes } from './room-routes.ts'
import { rotationRoute } from './rotation-route.ts'
import { ALERT, CONTACT, DEVICE, ERROR } from './schemas.ts'
import { Sessions } from './sessions.ts'
import { eventRoute, execRoute, tellingAll } from './streams.ts'
import type { TalkHall } from './talk-hall.ts'
import { talkRoutes } from './talk-routes.ts'
import { terminalSockets } from './terminal-sockets.ts'
import { upgradeRoutes } from './upgrade-routes.ts'
import type { WarmShells } from './warm-shells.ts'

/** The input of a command is the largest. */
const BODY_MAX = 1_048_576
/** Programs of one person; each may listen to events and do something beside it. */
const CONNECTIONS_MAX = 128
/** For the head of a request; its body is timed by arrival.ts, which knows of files. */
const HEAD_TIMEOUT_MS = 5_000
/** How often that is looked at. */
const LOOK_EVERY_MS = 1_000
const IDLE_TIMEOUT_MS = 30_000
const HEADERS_SIZE_MAX = 16_384

/** What HTTP has for whose matter it is. */
const STATUS: Readonly<Record<Family, number>> = {
  usage: 400,
  refused: 403,
  unknown: 404,
  setup: 500,
  fault: 502,
  unreachable: 504,
}

export interface ApiParts {
  readonly alerts: AlertParts
  readonly context: Context
  readonly watch: FleetWatch
  readonly hall: RoomHall
  readonly talk: TalkHall
  readonly mesh: Mesh
  /** Whoever made them closes them. */
  readonly shells: WarmShells
  readonly token: string
  /** Of the page. */
  readonly files: PageFiles
}

/** The server, ready to listen. */
export async function createApi({
  context,
  watch,
  hall,
  talk,
  mesh,
  shells,
  token,
  files,
  alerts,
}: ApiParts): Promise<FastifyInstance> {
  const app = fastify({
    bodyLimit: BODY_MAX,
    keepAliveTimeout: IDLE_TIMEOUT_MS,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 255 },
    http: {
      maxHeaderSize: HEADERS_SIZE_MAX,
      headersTimeout: HEAD_TIMEOUT_MS,
      connectionsCheckingInterval: LOOK_EVERY_MS,
    },
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
  })
  app.server.maxConnections = CONNECTIONS_MAX
  tellErrors(app, context)
  const sessions = new Sessions(context)
  app.addHook('onClose', async () => sessions.close())
  limitArrival(app, context.clock)
  const openPaths = new Set(['/openapi.json', ...pagePaths(files)])
  const admission = { token, sessions, openPaths }
  admitOnly(app, admission)
  terminalSockets(app, context, admission)
  app.addSchema(ERROR)
  app.addSchema(ALERT)
  app.addSchema(DEVICE)
  app.addSchema(CONTACT)
  await app.register(swagger, { openapi: DOCUMENT, refResolver: { buildLocalReference: nameOf } })
  await app.register(async routes => {
    const texts = new FleetTexts(watch)
    const sftp = new DeviceSftp(context, shells)
    fleetRoutes(routes, context, { watch, texts, mesh })
    deviceRoutes(routes, context)
    const tellAll = tellingAll(context, { watch, talk, texts })
    eventRoute(routes, tellAll)
    execRoute(routes, context, shells)
    fileRoutes(routes, sftp)
    fileBytesRoutes(routes, sftp, context)
    pushRoutes(routes, context)
    grantRoutes(routes, context)
    approvalRoutes(routes, context, watch)
    rotationRoute(routes, context, watch)
    identityRoutes(routes, context, { hall, talk, shells })
    revocationRoutes(routes, context)
    upgradeRoutes(routes, context)
    hubRoutes(routes, context, { watch, mesh })
    jobRoutes(routes, context)
    roomRoutes(routes, context, hall)
    roomOwnerRoutes(routes, context)
    contactRoutes(routes, context, talk)
    talkRoutes(routes, context, talk)
    offerRoutes(routes, context, { hall, talk })
    mapRoute(routes, context, { watch, mesh })
    alertRoutes(routes, context, { watch, ...alerts })
    metricsRoute(routes, context, { watch, ...alerts })
    pageRoutes(routes, files, { sessions, texts, tellAll })
  })
  const hidden = { schema: { hide: true } }
  app.get('/openapi.json', hidden, async () => app.swagger())
  await app.ready()
  return app
}

const nameOf = (
  schema: { $id?: unknown },
  _base: unknown,
  _fragment: string,
  at: number,
): string => (typeof schema.$id === 'string' ? schema.$id : `Schema${at}`)

const DOCUMENT: NonNullable<DynamicOptions['openapi']> = {
  openapi: '3.1.0',
  info: {
    title: 'secushare BOX, local API',
    version: VERSION,
    description: 'What `box` can do, for programs of this machine. The token lies beside the keys.',
    license: { name: 'AGPL-3.0-or-later', identifier: 'AGPL-3.0-or-later' },
  },
  components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
  security: [{ token: [] }],
}

/** Everything that goes wrong has one form, and nobody is told of our insides. */
function tellErrors(app: FastifyInstance, { log }: Context): void {
  app.setNotFoundHandler((_request, reply) => {
    void reply.code(404).send(bodyOf(new BoxError('API_REFUSED', 'It has no such path.')))
  })
  app.setErrorHandler((error: FastifyError | BoxError, request, reply) => {
    const told = { statusCode: undefined, ...error }.statusCode
    if (error instanceof BoxError) {
      void reply.code(told ?? STATUS[error.family]).send(bodyOf(error))
    } else if (told !== undefined && told < 500) {
      // Fastify's own: a body that is too long, or none of the schema.
      void reply.code(told).send(bodyOf(new BoxError('INPUT_INVALID', `${error.message}.`)))
    } else {
      log.note('error', 'api', 'failed', { path: request.url, why: `${error.stack}` })
      void reply.code(500).send(bodyOf(new BoxError('STATE_UNEXPECTED', 'See the log.')))
    }
  })
}

const bodyOf = ({ code, family, message }: BoxError) => ({ error: { code, family, message } })
