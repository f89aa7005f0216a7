/**
 * The command line as people meet it: test/transcripts/*.txt, run by a real shell with the real programs.
 *
 *     $ command           what is typed; `box` and `box-agent` are ours, HOME and BOX_STATE are empty
 *     text                a line of standard output; … in it stands for anything
 *     ! text              a line of standard error
 *     ? 64                the exit code, where it is not 0
 *     # text              a remark
 */

import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '..', '..')
const TRANSCRIPTS = join(ROOT, 'test', 'transcripts')
/** Inside the project, so that the programs find its packages. */
const PROGRAMS = join(ROOT, 'node_modules', '.cache', `transcripts-${process.pid}`)

beforeAll(async () => {
  await build({
    entryPoints: {
      box: join(ROOT, 'controller/main.ts'),
      'box-agent': join(ROOT, 'agent/main.ts'),
    },
    outdir: join(PROGRAMS, 'lib'),
    bundle: true,
    splitting: true,
    format: 'esm',
    outExtension: { '.js': '.mjs' },
    platform: 'node',
    packages: 'external',
    logLevel: 'error',
  })
  mkdirSync(join(PROGRAMS, 'bin'))
  for (const name of ['box', 'box-agent']) {
    const script = `#!/bin/sh\nexec '${process.execPath}' '${join(PROGRAMS, 'lib', name)}.mjs' "$@"\n`
    writeFileSync(join(PROGRAMS, 'bin', name), script, { mode: 0o755 })
  }
})
afterAll(() => rmSync(PROGRAMS, { recursive: true, force: true }))

/** Far more than any command takes that asks nobody. */
const STEP_MS = 20_000

interface Step {
  readonly line: number
  readonly typed: string
  readonly said: { out: string[]; err: string[]; code: number }
}

function stepsOf(text: string): Step[] {
  const steps: Step[] = []
  text.split('\n').forEach((line, i) => {
    const said = steps.at(-1)?.said
    if (line.startsWith('$ '))
      steps.push({ line: i + 1, typed: line.slice(2), said: { out: [], err: [], code: 0 } })
    else if (line.startsWith('# ') || line === '' || !said) return
    else if (line.startsWith('! ')) said.err.push(line.slice(2))
    else if (line.startsWith('? ')) said.code = Number(line.slice(2))
    else said.out.push(line)
  })
  return steps
}

/** What was said, with `…` where the transcript has it and the rest fits. */
function fitted(said: string, wanted: readonly string[]): string[] {
  const lines = said.split('\n').map(line => line.trimEnd())
  const full = lines.filter(line => line !== '')
  return full.map((line, i) => (fits(line, wanted[i] ?? '') ? wanted[i]! : line))
}

const fits = (line: string, wanted: string): boolean => {
  const pieces = wanted.split('…').map(piece => piece.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${pieces.join('.*')}$`).test(line)
}

const transcripts = readdirSync(TRANSCRIPTS).filter(name => name.endsWith('.txt'))

/** What was said, and how it ended. */
async function typed(line: string, home: string) {
  const child = spawn('/bin/sh', ['-c', line], {
    cwd: home,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: STEP_MS,
    env: {
      PATH: `${join(PROGRAMS, 'bin')}:${process.env.PATH}`,
      HOME: home,
      BOX_STATE: join(home, 'state'),
    },
  })
  const [out, err, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise(resolve => child.once('close', resolve)),
  ])
  return { out, err, code }
}

// Beside each other: every step is a process that mostly starts.
test.concurrent.for(transcripts)('%s is what happens', { timeout: 120_000 }, async name => {
  const home = mkdtempSync(join(tmpdir(), 'box-transcript-'))
  try {
    const steps = stepsOf(readFileSync(join(TRANSCRIPTS, name), 'utf8'))
    for (const { line, typed: words, said } of steps) {
      const { out, err, code } = await typed(words, home)
      const got = { out: fitted(out, said.out), err: fitted(err, said.err), code }
      expect(got, `${name}:${line}: ${words}`).toEqual(said)
    }
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
})
