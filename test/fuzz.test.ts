/**
 * Bad input: every layout and every other reader of bytes and texts from outside, against noise and against
 * what was right before it was changed. It gives a value, a WireError or a BoxError, and soon. No list has to
 * be kept: layouts report themselves as they are declared, and readers are found by their names.
 *
 * FUZZ=100000 is the nightly number of cases for each; SEED=n tries others, and replays a failure, which prints it.
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { BoxError } from '../src/base/errors.ts'
import type { Random } from '../src/base/random.ts'
import type { ByteDoor, TextDoor } from './fuzz/doors.ts'
import { mutated, mutatedJson, mutatedText, withHeader } from './fuzz/mutation.ts'
import { seededRandom } from './sim/random.ts'
import { hex, readVectors, toHex } from './vectors.ts'

interface Layout {
  readonly name: string
  /** The type of a message; null of a struct. */
  readonly type: number | null
  encode(value: unknown): Uint8Array
  decode(raw: Uint8Array): unknown
  sample(random: Random, whole: object): unknown
}

/** Every layout that any file declares, exported or not. */
const layouts = vi.hoisted(() => [] as Layout[])

vi.mock(import('../src/wire/layout.ts'), async original => {
  const real = await original()
  const message = ((...args: Parameters<typeof real.message>) => {
    const made = real.message(...args)
    layouts.push(made as unknown as Layout)
    return made
  }) as typeof real.message
  return { ...real, message }
})
vi.mock(import('../src/wire/fields.ts'), async original => {
  const real = await original()
  const struct = ((...args: Parameters<typeof real.struct>) => {
    const made = real.struct(...args)
    layouts.push({ ...made, type: null } as unknown as Layout)
    return made
  }) as typeof real.struct
  return { ...real, struct }
})

const ROOT = join(import.meta.dirname, '..')
const files = ['src', 'agent', 'controller'].flatMap(root =>
  readdirSync(join(ROOT, root), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts') && !name.endsWith('.d.ts') && !name.endsWith('main.ts'))
    .map(name => join(root, name)),
)
for (const file of files)
  if (/\b(message|struct|single)\(/.test(readFileSync(join(ROOT, file), 'utf8')))
    await import(join(ROOT, file))
const mesh = await import('./fuzz/doors.ts')
const disk = await import('./fuzz/file-doors.ts')
const psyc = await import('./fuzz/psyc-doors.ts')
const bundles = await import('./fuzz/bundle-doors.ts')
const keys = await import('./fuzz/key-doors.ts')
const jobs = await import('./fuzz/job-doors.ts')
const keeper = await import('./fuzz/keeper-doors.ts')
const errands = await import('./fuzz/errand-doors.ts')
const recordings = await import('./fuzz/recording-doors.ts')
const machine = await import('./fuzz/machine-doors.ts')
const alerts = await import('./fuzz/alert-doors.ts')
const approvals = await import('./fuzz/approval-doors.ts')
const talk = await import('./fuzz/talk-doors.ts')
/** Doors whose right input is all read without an error, which is tested too. */
const EXACT_BYTE_DOORS = [
  ...psyc.PSYC_BYTE_DOORS,
  ...bundles.BUNDLE_BYTE_DOORS,
  ...jobs.JOB_BYTE_DOORS,
  ...alerts.ALERT_BYTE_DOORS,
  ...approvals.APPROVAL_BYTE_DOORS,
  ...recordings.RECORDING_BYTE_DOORS,
  ...talk.TALK_BYTE_DOORS,
  ...machine.MACHINE_BYTE_DOORS,
  ...machine.RELEASE_BYTE_DOORS,
  ...keys.KEY_BYTE_DOORS,
  ...keeper.KEEPER_BYTE_DOORS,
  ...errands.ERRAND_BYTE_DOORS,
]
const EXACT_TEXT_DOORS = [
  ...psyc.PSYC_TEXT_DOORS,
  ...bundles.BUNDLE_TEXT_DOORS,
  ...jobs.JOB_TEXT_DOORS,
  ...alerts.ALERT_TEXT_DOORS,
  ...approvals.APPROVAL_TEXT_DOORS,
  ...recordings.RECORDING_TEXT_DOORS,
  ...talk.TALK_TEXT_DOORS,
  ...machine.MACHINE_TEXT_DOORS,
  ...machine.RELEASE_TEXT_DOORS,
  ...keeper.KEEPER_TEXT_DOORS,
  ...errands.ERRAND_TEXT_DOORS,
]
const BYTE_DOORS: readonly ByteDoor[] = [
  ...mesh.BYTE_DOORS,
  ...disk.STORE_DOORS,
  ...EXACT_BYTE_DOORS,
]
const TEXT_DOORS: readonly TextDoor[] = [
  ...mesh.TEXT_DOORS,
  ...disk.FILE_DOORS,
  ...EXACT_TEXT_DOORS,
]
const { WireError } = await import('../src/wire/layout.ts')

const RUNS = Number(process.env.FUZZ ?? 300)
const SEED = Number(process.env.SEED ?? 1)
/** One case that takes longer hangs, for whoever waits for the answer. */
const CASE_MS_MAX = 2_000
/** Cases that need a real file, or several signatures, are fewer. */
const SLOW = 50

const real = Object.values(readVectors('class-a-daemon')).filter(
  value => typeof value === 'string' && /^([0-9a-f]{2})+$/.test(value),
) as string[]

/** One case: a value or an expected error, in time. */
function attempt<T>(input: T, read: (input: T) => unknown, shown: string): void {
  const since = performance.now()
  try {
    read(input)
  } catch (error) {
    if (!(error instanceof WireError || error instanceof BoxError))
      throw new Error(`on ${shown}`, { cause: error })
  }
  const took = performance.now() - since
  if (took > CASE_MS_MAX) throw new Error(`${Math.round(took)} ms on ${shown}`)
}

/** Tries texts: some as they are, then changed ones; of JSON, half of them are JSON still. */
function fuzzTexts({ right, also = [], read }: TextDoor, runs = RUNS): void {
  const texts = [...right, ...also]
  for (const text of also) attempt(text, read, JSON.stringify(text))
  const json = right.every(isJson) ? texts.filter(isJson) : []
  const make = (seed: number) => {
    const random = seededRandom(seed)
    return json.length > 0 && random.chance(0.5)
      ? mutatedJson(random, json)
      : mutatedText(random, texts)
  }
  fuzz(make, read, text => JSON.stringify(text), runs)
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** Runs `read` on many inputs made from small numbers; says what it was given where it fails. */
function fuzz<T>(
  make: (seed: number) => T,
  read: (input: T) => unknown,
  show: (input: T) => string,
  runs = RUNS,
): void {
  const property = fc.property(fc.nat(), number => {
    const input = make(number)
    attempt(input, read, show(input))
  })
  const outcome = fc.check(property, { seed: SEED, numRuns: runs, endOnFailure: true })
  if (!outcome.failed) return
  const [error] = [outcome.errorInstance as Error]
  const { cause } = error
  throw new Error(`SEED=${SEED} ${error.message}: ${cause ?? ''}`, { cause })
}

describe('a layout', () => {
  test('reports itself, wherever it is declared', () => {
    const declared = files.flatMap(file => [
      ...readFileSync(join(ROOT, file), 'utf8').matchAll(
        /(?<!function )\b(?:message|struct)\(\s*'/g,
      ),
    ])
    expect(layouts.length).toBeGreaterThanOrEqual(declared.length)
    expect(declared.length).toBeGreaterThan(60)
  })

  test.each(layouts.map((layout, at) => [layout.name, at] as const))(
    '%s (%i) gives a value or a WireError',
    { timeout: 3_600_000 },
    (_name, at) => {
      const { type, encode, decode, sample } = layouts[at]!
      const originals = Array.from({ length: 40 }, (_, seed) =>
        encode(sample(seededRandom(seed), {})),
      )
      if (type !== null)
        originals.push(...real.map(hex).filter(raw => raw[2]! * 256 + raw[3]! === type))
      for (const raw of originals) expect(encode(decode(raw))).toEqual(raw)
      const make = (seed: number) => {
        const random = seededRandom(seed)
        const bytes = mutated(random, originals)
        return type !== null && random.chance(0.8) ? withHeader(bytes, type) : bytes
      }
      fuzz(
        make,
        bytes => {
          const value = decode(bytes)
          if (decode(encode(value)) === undefined) throw new TypeError('it cannot be written again')
        },
        toHex,
      )
    },
  )
})

describe('a reader', () => {
  const directory = mkdtempSync(join(tmpdir(), 'fuzz-'))
  afterAll(() => rmSync(directory, { recursive: true }))
  const exactDirectoryDoors = machine.machineDirectoryDoors(directory)
  const directoryDoors: readonly TextDoor[] = [
    ...disk.directoryDoors(directory),
    ...exactDirectoryDoors,
  ]

  /** Functions that are named like readers, and why they need no door. */
  const NO_READERS: Readonly<Record<string, string>> = {
    openContext: 'makes the parts of a command',
    openResolver: 'makes a resolver',
    openShell: 'opens a session',
    openRecordingOf: 'reads from a device, part by part, with RecordingReader',
    readWords: 'reads what the person at the machine types, with node:util',
    openOnce: 'is openAead',
    openIdentity: 'is openAead, then a layout',
    openServiceManager: 'makes what speaks to systemd',
    openPushTalk: 'opens a session; what is said in it is read by others',
  }

  test('has a door here', () => {
    const exported = files.flatMap(file =>
      [
        ...readFileSync(join(ROOT, file), 'utf8').matchAll(
          /^export (?:async )?(?:function|const) (\w+)/gm,
        ),
      ].map(([, name]) => name!),
    )
    const readers = exported.filter(name => /^(parse|decode|read|open)[A-Z]|FromText$/.test(name))
    const doors = [...BYTE_DOORS, ...TEXT_DOORS, ...directoryDoors].flatMap(door => door.of)
    const forgotten = readers.filter(name => !(doors.includes(name) || name in NO_READERS))
    expect(forgotten).toEqual([])
    expect(doors.filter(name => !exported.includes(name))).toEqual([])
  })

  test('reads what is right: a door that is shut at once tests nothing', () => {
    for (const { name, right, read } of EXACT_BYTE_DOORS)
      for (const bytes of right) expect(() => read(bytes), `${name}: ${toHex(bytes)}`).not.toThrow()
    for (const { name, right, read } of [...EXACT_TEXT_DOORS, ...exactDirectoryDoors])
      for (const text of right) expect(() => read(text), `${name}: ${text}`).not.toThrow()
  })

  test('that fails otherwise is found, with the seed to replay it', () => {
    const read = (bytes: Uint8Array) =>
      bytes.length === 0 || bytes[0]!.toString().charAt(9).at(1)!.length
    const noise = (seed: number) => mutated(seededRandom(seed), [])
    expect(() => fuzz(noise, read, toHex, 100)).toThrow(/^SEED=\d+ on [0-9a-f]+: TypeError/)
  })

  test.each(BYTE_DOORS.map((door, at) => [door.name, at] as const))(
    'of %s (%i) gives a value or an expected error',
    { timeout: 3_600_000 },
    (_name, at) => {
      const { right, read, isSlow } = BYTE_DOORS[at]!
      const make = (seed: number) => mutated(seededRandom(seed), right)
      fuzz(make, read, toHex, isSlow ? Math.ceil(RUNS / SLOW) : RUNS)
    },
  )

  test.each(TEXT_DOORS.map((door, at) => [door.name, at] as const))(
    'of %s (%i) gives a value or an expected error',
    { timeout: 3_600_000 },
    (_name, at) => fuzzTexts(TEXT_DOORS[at]!),
  )

  test.each(directoryDoors.map(door => [door.name, door] as const))(
    'of the file %s gives a value or an expected error',
    { timeout: 3_600_000 },
    (_name, door) => fuzzTexts(door, Math.ceil(RUNS / SLOW)),
  )
})
