/** The files of the page (controller/web), as `npm run build` made them; in the one executable they are part of the program. */

import { readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BoxError } from '../../src/base/errors.ts'

/** Set in the bundle (deploy/script.ts): the texts by the names of the files. */
declare const PAGE_FILES: Readonly<Record<string, string>> | undefined

/** Set where the program is a few files in a folder of its own (deploy/programs.ts). */
declare const PROGRAMS_BESIDE: true | undefined

/** What the page consists of; anything else in that folder is none of it. */
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

export interface PageFile {
  readonly type: string
  readonly text: string
}

/** By their names. Throws FILE_UNUSABLE where the page was not built. */
export function pageFiles(): ReadonlyMap<string, PageFile> {
  const texts = typeof PAGE_FILES === 'undefined' ? builtFiles() : PAGE_FILES
  return new Map(
    Object.entries(texts).flatMap(([name, text]) => {
      const type = TYPES[extname(name)]
      return type === undefined ? [] : [[name, { type, text }] as const]
    }),
  )
}

function builtFiles(): Readonly<Record<string, string>> {
  const web = typeof PROGRAMS_BESIDE === 'undefined' ? '../web/' : '../controller/web/'
  const folder = fileURLToPath(new URL(web, import.meta.url))
  try {
    const names = readdirSync(folder).filter(name => TYPES[extname(name)] !== undefined)
    return Object.fromEntries(names.map(name => [name, readFileSync(join(folder, name), 'utf8')]))
  } catch (cause) {
    throw new BoxError('FILE_UNUSABLE', `The page was not built (${folder}).`, cause)
  }
}
