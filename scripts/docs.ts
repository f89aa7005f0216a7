/**
 * Writes the generated pages of docs/: every message as its table (docs/wire.md), every error with its
 * exit code and what to do (docs/errors.md). test/docs.test.ts keeps them current; `npm run docs` rewrites them.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ERRORS, type ErrorCode, EXIT_CODES, type Family } from '../src/base/errors.ts'
import type { Message } from '../src/wire/layout.ts'

const ROOT = join(import.meta.dirname, '..')

/** A file of messages: what its first comment says, and the messages it declares. */
export interface MessageFile {
  readonly path: string
  readonly about: string
  readonly messages: readonly Message<unknown>[]
}

const isMessage = (value: unknown): value is Message<unknown> =>
  value !== null && typeof value === 'object' && 'type' in value && 'table' in value

/** Every src/**\/messages.ts. */
export async function messageFiles(): Promise<MessageFile[]> {
  const paths = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('/messages.ts'))
    .toSorted()
    .map(name => join('src', name))
  return Promise.all(
    paths.map(async path => {
      const module: Record<string, unknown> = await import(join(ROOT, path))
      const messages = Object.values(module)
        .filter(isMessage)
        .toSorted((a, b) => a.type - b.type)
      return { path, about: firstComment(readFileSync(join(ROOT, path), 'utf8')), messages }
    }),
  )
}

function firstComment(text: string): string {
  const [, inner = ''] = /^\/\*\*([\s\S]*?)\*\//.exec(text) ?? []
  return inner
    .split('\n')
    .map(line => line.replace(/^\s*\*? ?/, '').trim())
    .join(' ')
    .trim()
}

export async function wirePage(): Promise<string> {
  const parts = [
    '# Messages',
    'Generated from the declarations in `src/**/messages.ts` by `npm run docs`. All integers are big-endian; offsets are in bytes from the ' +
      'beginning of the message, `…` where they depend on what comes before.',
  ]
  for (const { path, about, messages } of await messageFiles()) {
    parts.push(`## ${path}`, about)
    for (const message of messages)
      parts.push(`### ${message.type} ${message.name}`, message.table())
  }
  return `${parts.join('\n\n')}\n`
}

const FAMILIES: Readonly<Record<Family, string>> = {
  usage: 'What was typed cannot be right: correct it.',
  unknown: 'There is no such thing: look at the name.',
  unreachable:
    'The network, or the other machine: try again later; `box doctor` says what is reached.',
  fault: 'The other side broke the protocol: if it is one of ours, bring both to the same version.',
  refused: 'Somebody or something said no: trying again does not help.',
  setup: 'This installation: change what the message names.',
}

export function errorsPage(): string {
  const parts = [
    '# Errors',
    'Generated from `src/base/errors.ts` by `npm run docs`. A command that fails prints one sentence on standard error, with `--json` an object ' +
      'with `code` and `message`, and exits with the code of the family (sysexits.h).',
  ]
  const codes = Object.keys(ERRORS) as ErrorCode[]
  for (const family of Object.keys(FAMILIES) as Family[]) {
    parts.push(`## ${family}: exit code ${EXIT_CODES[family]}`, FAMILIES[family])
    const rows = codes
      .filter(code => ERRORS[code][0] === family)
      .map(code => `| ${code} | ${ERRORS[code][1]} |`)
    parts.push(['| code | sentence |', '| --- | --- |', ...rows].join('\n'))
  }
  return `${parts.join('\n\n')}\n`
}
