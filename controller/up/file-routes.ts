/**
 * Routes about the files of a device: what is in a directory, making, renaming and removing; as far as the grant goes,
 * which the device decides. Their bytes are in file-bytes.ts.
 */

import { posix } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { BoxError } from '../../src/base/errors.ts'
import type { DeviceFiles, FileKind, FileLooks } from '../device-files.ts'
import { inParallel } from '../parallel.ts'
import type { DeviceSftp } from './device-sftp.ts'
import { aboutOne, FILE, FILE_DONE, FILES, options, USER } from './schemas.ts'

/** Enough for a screen or two; `limit` asks for others. */
const LISTED = 500
/** Links are looked at one by one. */
const PARALLEL = 16
const PATH_MAX = 4_096

const truth = { type: 'string', enum: ['true', 'false'] } as const
export const PATH = { type: 'string', minLength: 1, maxLength: PATH_MAX, pattern: '^[^\\u0000]+$' }
/** From the root, or from the home of the user. */
export const WHERE = { path: PATH, user: USER }

export interface Where {
  readonly path: string
  readonly user?: string
}

export type AboutFile<More = unknown> = { Params: { name: string }; Querystring: Where & More }
type ToldFile<More = unknown> = { Params: { name: string }; Body: Where & More }

export function fileRoutes(app: FastifyInstance, sftp: DeviceSftp): void {
  listRoute(app, sftp)
  changingRoutes(app, sftp)
  app.get<AboutFile>(
    '/v1/devices/:name/files/entry',
    {
      schema: aboutOne({
        summary: 'How one file of a device looks, links followed',
        querystring: options(WHERE, ['path']),
        answer: FILE,
      }),
    },
    async ({ params, query }, reply) =>
      await sftp.during(reply.raw, { ...params, ...query }, async ({ files }) => {
        const path = await files.real(query.path)
        const looks = await files.look(path)
        if (!looks) throw new BoxError('FILE_UNKNOWN', path)
        return { path, ...looksValue(looks) }
      }),
  )
}

function listRoute(app: FastifyInstance, sftp: DeviceSftp): void {
  const limit = { type: 'string', pattern: '^([1-9]\\d{0,2}|1000)$', description: 'At most 1000.' }
  const after = { ...PATH, description: 'Goes on behind this name: `next` of the page before.' }
  app.get<AboutFile<{ after?: string; limit?: string }>>(
    '/v1/devices/:name/files',
    {
      schema: aboutOne({
        summary: 'What is in a directory of a device, by name, a page at a time',
        querystring: options({ ...WHERE, after, limit }, ['path']),
        answer: FILES,
      }),
    },
    async ({ params, query }, reply) =>
      await sftp.during(reply.raw, { ...params, ...query }, async ({ files }) => {
        const path = await files.real(query.path)
        const { files: all, isWhole } = await files.list(path)
        const { after, limit = `${LISTED}` } = query
        const rest = after === undefined ? all : all.filter(({ name }) => name > after)
        const page = rest.slice(0, Number(limit))
        const entries = await inParallel(page, PARALLEL, async one => {
          const kind = one.kind === 'link' ? await led(files, posix.join(path, one.name)) : null
          return { name: one.name, ...looksValue(one), leads_to: kind }
        })
        const next = rest.length > page.length ? page.at(-1)!.name : null
        return { path, entries, next, is_whole: isWhole }
      }),
  )
}

/** Null where a link leads to nothing, or to where we may not look. */
async function led(files: DeviceFiles, path: string): Promise<FileKind | null> {
  try {
    return (await files.look(path))?.kind ?? null
  } catch (error) {
    if (error instanceof BoxError && error.family !== 'unreachable') return null
    throw error
  }
}

function changingRoutes(app: FastifyInstance, sftp: DeviceSftp): void {
  app.post<ToldFile>(
    '/v1/devices/:name/files/directories',
    {
      schema: aboutOne({
        summary: 'Makes a directory on a device',
        body: options(WHERE, ['path']),
        answer: FILE_DONE,
      }),
    },
    async ({ params, body }, reply) =>
      await sftp.during(reply.raw, { ...params, ...body }, async ({ files }) => {
        const path = await files.real(body.path)
        if (await files.lookAtName(path)) throw new BoxError('FILE_EXISTS', path)
        await files.makeDirectory(path)
        return { path }
      }),
  )
  app.post<ToldFile<{ to: string; replace?: boolean }>>(
    '/v1/devices/:name/files/rename',
    {
      schema: aboutOne({
        summary: 'Another name, or place, for a file or directory of a device',
        body: options({ ...WHERE, to: PATH, replace: { type: 'boolean' } }, ['path', 'to']),
        answer: FILE_DONE,
      }),
    },
    async ({ params, body: { path, to, user, replace = false } }, reply) =>
      await sftp.during(reply.raw, { ...params, user }, async ({ files }) => {
        await files.rename(path, to, { replaces: replace })
        return { path: to }
      }),
  )
  app.delete<AboutFile<{ recursive?: 'true' | 'false' }>>(
    '/v1/devices/:name/files',
    {
      schema: aboutOne({
        summary:
          'Removes a file, a link, or a directory; with `recursive` also what is in that. It cannot be undone',
        querystring: options({ ...WHERE, recursive: truth }, ['path']),
        answer: FILE_DONE,
      }),
    },
    async ({ params, query: { path, user, recursive } }, reply) =>
      await sftp.during(reply.raw, { ...params, user }, async ({ files, signal }) => {
        if (posix.resolve('/', path) === '/')
          throw new BoxError('INPUT_INVALID', 'The root is not removed.')
        await files.remove(path, { isDeep: recursive === 'true', signal })
        return { path }
      }),
  )
}

/** As programs read it. */
export const looksValue = ({ kind, size, mode, uid, gid, modifiedAt }: FileLooks) => ({
  ...{ kind, size, mode: mode.toString(8).padStart(4, '0'), uid, gid },
  modified_at: new Date(modifiedAt).toISOString(),
})
