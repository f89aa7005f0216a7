/**
 * README.md, typed as it stands: every block, in order, on the machine it is meant for. Hub and Debian are in
 * the open, device and controller behind NAT routers of their own; all are network namespaces.
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { systemRandom } from '../../src/sys/random.ts'
import { HomeDirectory } from './home-directory.ts'
import { Internet } from './namespaces.ts'
import { cleanUp, folder, missing, type Place, Program, ROOT, run, shell } from './program.ts'
import { type Block, blocksOf } from './readme-blocks.ts'

const blocks = blocksOf(readFileSync(join(ROOT, 'README.md'), 'utf8'))
const programs = ['ip', 'iptables', 'unshare', 'ssh', 'scp', 'rsync', 'gnunet-arm', 'npm']
const skipped = missing(programs, { root: true }) !== null
/** GNUnet needs some seconds to find its addresses, and the block of a name. */
const TRIES = 10
const AGAIN_MS = 1_500
/** What `box id` shows to whoever the reader takes in. */
const SOMEBODY = zoneToText(ZoneSecret.generate('EDKEY', systemRandom).zone)
/** npm fetches and builds everything. */
const INSTALL_MS = 240_000

test('every block of README.md is for a machine that there is', () => {
  const machines = new Set(blocks.map(({ machine }) => machine))
  expect([...machines].sort()).toEqual(['ci', 'copy', 'debian', 'device', 'hub', 'yours'])
})

test('what README.md leaves to CI is what CI runs', () => {
  const ran = readFileSync(join(ROOT, '.ci', 'run'), 'utf8')
  for (const { text } of blocks.filter(({ machine }) => machine === 'ci'))
    for (const command of text.split(' && '))
      expect(ran).toMatch(new RegExp(`^(.* )?${command}`, 'm'))
})

/** One machine of the story. */
class Machine {
  readonly home: HomeDirectory
  private readonly place: Place
  private running: Program | null = null

  constructor(name: string, namespace: string, programs: string) {
    this.home = new HomeDirectory(name)
    const path = `${programs}:${dirname(process.execPath)}:${process.env.PATH}`
    this.place = { namespace, env: { ...this.home.env, PATH: path } }
  }

  /** Runs a script to its end. */
  run(script: string) {
    return run(this.command(script), this.place)
  }

  /** Starts what goes on running, in the place of what ran before. */
  async stay(script: string): Promise<Program> {
    this.running?.kill('SIGINT')
    await this.running?.ended()
    this.running = this.start(`exec ${script}`)
    return this.running
  }

  start(script: string): Program {
    return new Program(this.command(script), this.place)
  }

  /** `/var/lib/…` of this machine, out here. */
  pathOf(file: string): string {
    return file.replace(/^\/var\/lib/, join(this.home.path, 'var-lib'))
  }

  private command(script: string): string[] {
    return this.home.command('sh', '-ec', `cd; ${script}`)
  }
}

describe.skipIf(skipped)('the journey of README.md', () => {
  const copy = skipped ? '' : folder('copy')
  const prefix = join(copy, 'installed')
  const machines: Record<string, Machine> = {}
  let internet: Internet | null = null
  /** What the reader is to put in the place of `gnunet://hello/…`, `CODE` and `ID`; of `KEY` see above. */
  const hellos: string[] = []
  let code = ''
  let id = ''
  let pairing: Program | null = null

  beforeAll(() => {
    const left = ['node_modules', '.git', 'dist'].map(name => `--exclude=./${name}`).join(' ')
    shell(`tar -C '${ROOT}' ${left} --exclude=node_modules -cf - . | tar -C '${copy}' -xf -`)
    internet = new Internet(`br${process.pid % 1_000}`)
    const namespaces = {
      hub: internet.host('hub', 21),
      debian: internet.host('deb', 22),
      device: internet.home('dev', 11, 1, 'random').machine,
      yours: internet.home('own', 12, 2, 'random').machine,
    }
    for (const [name, namespace] of Object.entries(namespaces))
      machines[name] = new Machine(name, namespace, join(prefix, 'bin'))
  })

  afterAll(async () => {
    await machines.debian?.run('gnunet-arm -e || true').catch(() => {})
    await cleanUp()
    internet?.close()
  })

  const filledIn = (text: string): string => {
    let at = 0
    return text
      .replaceAll('gnunet://hello/…', () => hellos[at++] ?? 'missing')
      .replaceAll('CODE', code)
      .replaceAll(/\bKEY\b/g, SOMEBODY)
      .replaceAll(/\bID\b/g, id)
  }

  const typed = blocks.filter(({ machine }) => machine !== 'ci')
  test.for(typed)('line $line, $machine: $text', { timeout: 300_000 }, async block => {
    if (block.machine === 'copy') await installed(block)
    else await onMachine(block, machines[block.machine]!)
  })

  /** In the copy of the repository. */
  async function installed({ text }: Block): Promise<void> {
    const env = { npm_config_prefix: prefix, npm_config_cache: cacheOfNpm() }
    const words = ['sh', '-ec', `cd '${copy}'; ${text}`]
    const { code, out, err } = await run(words, { env, ms: INSTALL_MS })
    expect(code, err).toBe(0)
    if (text.includes('start')) expect(out).toMatch(/shell on \/dev\/pts\/[\s\S]*\nkitchen\n$/)
  }

  async function onMachine(block: Block, machine: Machine): Promise<void> {
    const text = filledIn(block.text)
    if (block.file !== null) {
      const path = machine.pathOf(block.file)
      expect(existsSync(dirname(path)), 'the folder is there already').toBe(true)
      writeFileSync(path, text)
    } else if (block.stays) {
      const program = await machine.stay(text)
      const [, hello] = await program.until(/running as (?:hub: (gnunet:\S+)|peer)|^up at /m)
      if (hello) hellos.push(hello)
    } else if (block.pairs) {
      pairing = machine.start(`exec ${text}`)
      ;[code] = await pairing.until(/[0-9A-Z]{5}(-[0-9A-Z]+){8,}/)
    } else {
      await finished(block, text, machine)
    }
  }

  async function finished({ prints, machine: name }: Block, text: string, machine: Machine) {
    let said = await machine.run(text)
    const isDone = () => prints === null || (said.out.includes(prints) && hasAddress(said.out))
    for (let tries = 1; !isDone() && tries < TRIES; tries++) {
      await new Promise(resolve => setTimeout(resolve, AGAIN_MS))
      said = await machine.run(text)
    }
    expect(said.code, said.err).toBe(0)
    if (prints !== null) expect(said.out).toContain(prints)
    const [hello] = /gnunet:\/\/hello\/\S+/.exec(said.out) ?? []
    if (name === 'debian' && hello) hellos.push(hello)
    id = /^(000G[0-9A-Z]{54})$/m.exec(said.out)?.[1] ?? id
    if (text.includes('box pair')) await samePairing(said.out)
    if (text.includes('scp')) copied()
  }

  /** Both sides show the same words. */
  async function samePairing(out: string): Promise<void> {
    const { code, out: shown } = await pairing!.ended()
    const [, words] = /same words: (.+)/.exec(out)!
    expect(code).toBe(0)
    expect(shown).toContain(words)
  }

  function copied(): void {
    for (const name of ['note.txt', 'copy.txt'])
      expect(readFileSync(join(machines.device!.home.path, name), 'utf8')).toBe('hello\n')
  }
})

/** A HELLO, where there is one, is worth something only with the public address in it. */
const hasAddress = (out: string): boolean =>
  !/gnunet:\/\/hello/.test(out) || out.includes('.198.51.100.') || out.includes('.0.198.51.100.')

/** The reader's own, so that nothing is fetched twice. */
function cacheOfNpm(): string {
  const path = shell('npm config get cache').trim()
  mkdirSync(path, { recursive: true })
  return path
}
