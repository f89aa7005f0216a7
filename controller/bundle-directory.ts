/** A bundle as it lies on this machine: a directory with bundle.yaml and the files it names. */

import { readFileSync, realpathSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { BoxError } from '../src/base/errors.ts'
import { type Bundle, type ReadPart, readBundle } from '../src/box/bundle/bundle.ts'
import { LIMITS } from '../src/box/bundle/limits.ts'
import type { Problem } from '../src/box/bundle/yaml-document.ts'

/** More mistakes than anybody corrects at once. */
const SHOWN_MAX = 100

/** What is in the directory, and what is wrong with it. Throws INPUT_INVALID where there is no directory. */
export function openBundle(directory: string): { bundle: Bundle | null; problems: Problem[] } {
  const problems: Problem[] = []
  const bundle = readBundle(partsOf(directory), problems)
  return { bundle, problems: problems.slice(0, SHOWN_MAX) }
}

/** The bundle. Throws INPUT_INVALID, and BUNDLE_INVALID with the first mistake. */
export function goodBundle(directory: string): Bundle {
  const { bundle, problems } = openBundle(directory)
  if (bundle) return bundle
  const [first, ...others] = problems
  const more = others.length > 0 ? ` (and ${others.length} more: see box bundle check)` : ''
  throw new BoxError('BUNDLE_INVALID', `${problemLine(first!)}${more}`)
}

export const problemLine = ({ file, line, column, message }: Problem): string =>
  `${file}:${line}:${column}: ${message}`

function partsOf(directory: string): ReadPart {
  const top = attempt(() => realpathSync(resolve(directory)))
  if (top === null || !statSync(top).isDirectory())
    throw new BoxError('INPUT_INVALID', `${directory} is no directory.`)
  return part => {
    const path = attempt(() => realpathSync(join(top, part)))
    if (path === null) return { wrong: 'is not there' }
    if (!path.startsWith(`${top}/`)) return { wrong: 'leads out of the bundle' }
    const stat = attempt(() => statSync(path))
    if (!stat?.isFile()) return { wrong: 'is no file' }
    if (stat.size > LIMITS.fileBytes) return { wrong: `has more than ${LIMITS.fileBytes} bytes` }
    const content = attempt(() => readFileSync(path))
    return content ? new Uint8Array(content) : { wrong: 'cannot be read' }
  }
}

function attempt<T>(run: () => T): T | null {
  try {
    return run()
  } catch {
    return null
  }
}
