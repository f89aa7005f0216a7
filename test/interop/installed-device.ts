/**
 * A device that was installed as `box-agent install` does it, and its versions: our code in one script for the Node of
 * this machine. What is shipped holds the same script, and Node.
 */

import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { launcher } from '../../agent/launcher.ts'
import { buildScript } from '../../deploy/script.ts'
import { VERSION } from '../../src/base/version.ts'
import { releaseHead } from '../../src/box/executable-release.ts'
import { SigningKey } from '../../src/crypto/signing.ts'
import { folder, Program, ROOT, run } from './program.ts'

const KEY = SigningKey.fromSeed(new Uint8Array(32).fill(7))
/** That no device knows. */
export const STRANGER = SigningKey.fromSeed(new Uint8Array(32).fill(8))
const MACHINE = `${process.platform}-${process.arch}`

/** What versions are made of: our code in one script, in which the key is pinned. */
export class Versions {
  private readonly script: string

  private constructor(script: string) {
    this.script = script
  }

  static async build(top: string): Promise<Versions> {
    process.env.BOX_RELEASE_KEY = Buffer.from(KEY.publicKey).toString('hex')
    await buildScript(ROOT, join(top, 'box.cjs')).finally(() => delete process.env.BOX_RELEASE_KEY)
    return new Versions(readFileSync(join(top, 'box.cjs'), 'utf8'))
  }

  /** Our code as another version, changed here and there. */
  executable(version: string, edit: (text: string) => string = text => text): string {
    const text = this.script.replaceAll(`"${VERSION}"`, `"${version}"`)
    expect(text).toContain(`"${version}"`)
    return `#!${process.execPath}\n${edit(text)}`
  }

  /** A signed file in a directory of its own. */
  release(version: string, content = this.executable(version), key = KEY): string {
    const bytes = Buffer.from(content)
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const manifest = { format: 1, version, machine: MACHINE, size: bytes.length, sha256 } as const
    const path = join(folder('release'), `${version}.release`)
    writeFileSync(path, Buffer.concat([releaseHead(manifest, key), bytes]))
    return path
  }
}

/** An installed device, and what starts it again whenever it ends. */
export class InstalledDevice {
  readonly library: string
  readonly state = folder('device')
  readonly program: Program
  private readonly top: string

  /** `executable` is that of the version it has at first. */
  constructor(top: string, executable: string, hello: string) {
    this.top = top
    this.library = join(top, 'lib')
    mkdirSync(join(this.library, VERSION), { recursive: true })
    writeFileSync(join(this.library, VERSION, 'box'), executable, { mode: 0o755 })
    symlinkSync(VERSION, join(this.library, 'current'))
    writeFileSync(join(this.library, 'start'), launcher(), { mode: 0o755 })
    const words = `'${this.library}/start' run --state '${this.state}' --hub-url '${hello}'`
    const loop = `trap 'kill $!; exit' TERM; while :; do ${words} & echo $! >'${top}/pid'; wait $!; sleep 0.5; done`
    // Somebody who would be told, and who starts it again; that nobody listens is said once.
    this.program = new Program(['sh', '-c', loop], { env: { NOTIFY_SOCKET: join(top, 'nobody') } })
  }

  /** As in a package for the Node of the machine: the terminal library lies beside each version, as soon as there is one. */
  withTerminals(): { close(): void } {
    const library = join(ROOT, `node_modules/@lydell/node-pty-${MACHINE}/pty.node`)
    const name = `pty-${process.arch}.node`
    const lay = () => {
      for (const version of this.files().filter(one => /^\d/.test(one))) {
        const path = join(this.library, version, name)
        // Once, and whole: who has loaded it would not survive that it changes.
        if (existsSync(path) || !existsSync(join(this.library, version, 'box'))) continue
        copyFileSync(library, `${path}.new`)
        renameSync(`${path}.new`, path)
      }
    }
    lay()
    const timer = setInterval(lay, 20)
    return { close: () => clearInterval(timer) }
  }

  get pid(): number {
    return Number(readFileSync(join(this.top, 'pid'), 'utf8'))
  }

  current(): string {
    return readlinkSync(join(this.library, 'current'))
  }

  has(name: string): boolean {
    return existsSync(join(this.library, name))
  }

  files(): readonly string[] {
    return readdirSync(this.library)
  }

  async pairingCode(): Promise<string> {
    const words = ['box-agent', 'pair', '--state', this.state, '--json', '--no-wait']
    for (let tries = 0; ; tries++) {
      const said = await run([join(this.library, 'current', 'box'), ...words])
      if (said.code === 0) return (JSON.parse(said.out) as { code: string }).code
      if (tries > 100) throw new Error(`${said.err}\n${this.program.err.slice(-2_000)}`)
      await new Promise(resolve => setTimeout(resolve, 200))
    }
  }
}
