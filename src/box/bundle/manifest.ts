/**
 * `bundle.yaml`: what a bundle is, in the words of whoever wrote it.
 *
 *     bundle: 1
 *     name: firewall
 *     confirm: 90                      # seconds until the device takes it back unless confirmed
 *     timeout: 60                      # seconds a command may take
 *     drift: report                    # or repair
 *     roots: [/etc]                    # no file may lie elsewhere; the usual ones unless given
 *     files:
 *       /etc/nftables.conf: { from: nftables.conf, mode: 0644, owner: root:root }
 *       /etc/hostname:      { template: hostname }
 *       /etc/wifi.key:      { from: wifi.key, mode: 0600, secret: true, only: ['@ap'] }
 *       /etc/old.conf:      { absent: true }
 *     uci:                             # OpenWrt: as uci set, add_list, delete (null)
 *       network.lan.proto: static
 *       network.lan.dns: [192.0.2.1, 192.0.2.2]
 *       network.guest: interface       # a section of this type
 *       network.wan6: null
 *     values:
 *       all:     { ntp: pool.ntp.org }
 *       '@ap':   { channel: 6 }
 *       kitchen: { hostname: kitchen }
 *     packages: [nftables]             # must be installed
 *     before: [ 'nft -c -f "$BOX_STAGE/etc/nftables.conf"' ]
 *     apply:  [ ip link set wlan0 up ]
 *     reload: [nftables]               # services, by the service manager: after apply, and after undo
 *     after:  [ ping -c1 192.0.2.1 ]
 *     undo:   [ ip link set wlan0 up ] # after the files were put back; apply unless given
 */

import { DEFAULT_ROOTS, pathFault, rootOf } from './file-path.ts'
import { CONFIRM_SECONDS, LIMITS } from './limits.ts'
import { isServiceName } from './release.ts'
import { isValueName } from './template.ts'
import { isUciName, type UciChange } from './uci.ts'
import {
  type Place,
  type Problem,
  readYaml,
  type YamlEntry,
  type YamlNode,
} from './yaml-document.ts'

export const MANIFEST_FILE = 'bundle.yaml'
const VERSION = 1
const COMMAND_SECONDS = 60
const MODE = 0o644
const SECRET_MODE = 0o600

export interface Manifest {
  readonly name: string
  readonly confirmSeconds: number
  readonly commandSeconds: number
  readonly drift: 'report' | 'repair'
  readonly files: readonly ManifestFile[]
  /** By `all`, `@tag` or the name of a device. */
  readonly values: ReadonlyMap<string, ReadonlyMap<string, string>>
  readonly uci: readonly ManifestUci[]
  readonly packages: readonly string[]
  readonly before: readonly string[]
  readonly apply: readonly string[]
  readonly after: readonly string[]
  readonly undo: readonly string[]
  readonly reload: readonly string[]
}

export interface ManifestFile extends Place {
  readonly path: string
  readonly source:
    | { readonly is: 'copy' | 'template'; readonly from: string; readonly secret: boolean }
    | { readonly is: 'absent' }
  readonly mode: number
  /** `user`, `user:group`, `0:0`; empty: whoever owns what is there now, or the agent. */
  readonly owner: string
  /** `@tag` or names; empty: every device. */
  readonly only: readonly string[]
}

/** A change of OpenWrt's configuration; its values may have gaps, as templates have. */
export interface ManifestUci extends Place {
  readonly config: string
  readonly change: UciChange
}

/** Reads a manifest; null where a problem was found. */
export function readManifest(text: string, problems: Problem[]): Manifest | null {
  const before = problems.length
  const problem = (at: Place, message: string) =>
    void problems.push({ file: MANIFEST_FILE, line: at.line, column: at.column, message })
  if (text.length > LIMITS.manifestBytes) {
    problem({ line: 1, column: 1 }, `The manifest has more than ${LIMITS.manifestBytes} bytes.`)
    return null
  }
  const root = readYaml(text, problem)
  if (problems.length > before) return null
  if (root?.is !== 'map') {
    problem(root ?? { line: 1, column: 1 }, 'A manifest is a map: bundle: 1, name: …, files: …')
    return null
  }
  const manifest = new Reading(problem).manifest(root)
  return problems.length > before ? null : manifest
}

/** `network.lan.proto`, `system.@system[0].hostname`. */
const UCI_KEY = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_]+|@[A-Za-z0-9_]+\[-?\d+\])(?:\.([A-Za-z0-9_]+))?$/

type MapNode = Extract<YamlNode, { is: 'map' }>

const FIELDS = [
  ...[
    'bundle',
    'name',
    'confirm',
    'timeout',
    'drift',
    'roots',
    'files',
    'uci',
    'values',
    'packages',
  ],
  ...['before', 'apply', 'after', 'undo', 'reload'],
]
/** The fields that say where a file comes from, and what they make of it. */
const SOURCES = { from: 'copy', template: 'template', absent: 'absent' } as const
type SourceField = keyof typeof SOURCES
const SOURCE_FIELDS = Object.keys(SOURCES) as SourceField[]
const FILE_FIELDS = [...SOURCE_FIELDS, 'secret', 'mode', 'owner', 'only']

/** Looks at each field in turn and goes on after a mistake, so that one run finds all of them. */
class Reading {
  private readonly problem: (at: Place, message: string) => void
  private roots: readonly string[] = DEFAULT_ROOTS

  constructor(problem: (at: Place, message: string) => void) {
    this.problem = problem
  }

  manifest(root: MapNode): Manifest {
    const fields = this.fields(root, FIELDS)
    if (this.number(fields.get('bundle'), VERSION, VERSION) === null)
      this.problem(root, `"bundle: ${VERSION}" must say which version of the format this is.`)
    if (fields.has('roots')) this.roots = this.readRoots(fields.get('roots')!)
    const apply = this.commands(fields.get('apply'))
    const undo = fields.get('undo')
    const manifest: Manifest = {
      name: this.name(fields.get('name'), root),
      confirmSeconds: this.seconds(fields.get('confirm'), CONFIRM_SECONDS, LIMITS.confirmSeconds),
      commandSeconds: this.seconds(fields.get('timeout'), COMMAND_SECONDS, LIMITS.commandSeconds),
      drift: this.drift(fields.get('drift')),
      files: this.files(fields.get('files')),
      values: this.values(fields.get('values')),
      uci: this.uci(fields.get('uci')),
      packages: this.packages(fields.get('packages')),
      before: this.commands(fields.get('before')),
      apply,
      after: this.commands(fields.get('after')),
      undo: undo ? this.commands(undo) : apply,
      reload: this.services(fields.get('reload')),
    }
    if (manifest.files.length + manifest.uci.length + apply.length === 0)
      this.problem(root, 'This bundle changes nothing: it has neither files nor uci nor apply.')
    return manifest
  }

  private fields(node: MapNode, known: readonly string[]): Map<string, YamlEntry> {
    const fields = new Map<string, YamlEntry>()
    for (const entry of node.entries)
      if (known.includes(entry.key)) fields.set(entry.key, entry)
      else this.problem(entry, `"${entry.key}" is no field: there are ${known.join(', ')}.`)
    return fields
  }

  private name(entry: YamlEntry | undefined, root: Place): string {
    const name = entry ? this.text(entry.value) : null
    if (!entry) this.problem(root, 'The bundle has no name.')
    else if (name !== null && !/^[\p{L}\p{N}][\p{L}\p{N}._-]{0,63}$/u.test(name))
      this.problem(entry.value, 'A name has letters, digits, "-", "_", "." and at most 64 of them.')
    return name ?? ''
  }

  /** Only the device decides what it allows; these are for the lint, and for whoever reads the bundle. */
  private readRoots(entry: YamlEntry): readonly string[] {
    return this.list(entry, 'roots').flatMap(node => {
      const path = this.text(node)
      const fault = path === null ? null : pathFault(path)
      if (fault) this.problem(node, `The path ${JSON.stringify(path)} ${fault}.`)
      return path ?? []
    })
  }

  private drift(entry: YamlEntry | undefined): Manifest['drift'] {
    const said = entry ? this.text(entry.value) : 'report'
    if (said === 'report' || said === 'repair') return said
    if (entry && said !== null) this.problem(entry.value, 'drift is "report" or "repair".')
    return 'report'
  }

  private files(entry: YamlEntry | undefined): ManifestFile[] {
    if (!entry) return []
    if (entry.value.is !== 'map') {
      this.problem(entry.value, 'files is a map from paths on the device.')
      return []
    }
    if (entry.value.entries.length > LIMITS.files)
      this.problem(entry, `A bundle has at most ${LIMITS.files} files.`)
    const files = entry.value.entries.map(one => this.file(one))
    for (const [i, { path, line, column }] of files.entries())
      if (files.some((other, j) => i !== j && path.startsWith(`${other.path}/`)))
        this.problem({ line, column }, `${path} lies below another file of the bundle.`)
    return files
  }

  private file({ key: path, value, ...at }: YamlEntry): ManifestFile {
    const fault = pathFault(path)
    if (fault) this.problem(at, `The path ${JSON.stringify(path)} ${fault}.`)
    else if (!rootOf(path, this.roots))
      this.problem(at, `${path} lies below none of the roots: ${this.roots.join(', ')}.`)
    const none = { ...at, path, mode: MODE, owner: '', only: [] }
    if (value.is !== 'map') {
      this.problem(value, 'Say what it is: from, template or absent.')
      return { ...none, source: { is: 'absent' } }
    }
    const fields = this.fields(value, FILE_FIELDS)
    const secret = this.flag(fields.get('secret'))
    const source = this.source(value, fields, secret)
    return {
      ...none,
      source,
      mode: this.mode(fields.get('mode'), secret),
      owner: this.owner(fields.get('owner')),
      only: this.only(fields.get('only')),
    }
  }

  private source(
    node: Place,
    fields: ReadonlyMap<string, YamlEntry>,
    secret: boolean,
  ): ManifestFile['source'] {
    const kinds = SOURCE_FIELDS.filter(kind => fields.has(kind))
    const [kind] = kinds
    if (kind === undefined || kinds.length > 1) {
      this.problem(node, 'Say one of from, template and absent.')
      return { is: 'absent' }
    }
    const entry = fields.get(kind)!
    if (kind === 'absent') {
      if (!this.flag(entry)) this.problem(entry.value, 'absent can only be true.')
      for (const other of ['mode', 'owner', 'secret'])
        if (fields.has(other)) this.problem(fields.get(other)!, `An absent file has no ${other}.`)
      return { is: 'absent' }
    }
    const from = this.text(entry.value) ?? ''
    if (from.startsWith('/') || from.split('/').some(name => ['', '.', '..'].includes(name)))
      this.problem(entry.value, `"${from}" is no path inside the bundle.`)
    return { is: SOURCES[kind], from, secret }
  }

  private mode(entry: YamlEntry | undefined, secret: boolean): number {
    if (!entry) return secret ? SECRET_MODE : MODE
    const text = entry.value.is === 'scalar' ? entry.value.text : ''
    // YAML 1.2 would read 0644 as six hundred and forty-four.
    if (!/^(?:0o?)?[0-7]{3,4}$/.test(text)) {
      this.problem(entry.value, 'mode is written in octal digits: 0644.')
      return MODE
    }
    const mode = Number.parseInt(text.replace('o', ''), 8)
    if (secret && (mode & 0o007) !== 0)
      this.problem(entry.value, 'A secret must not be open to everybody.')
    return mode
  }

  private owner(entry: YamlEntry | undefined): string {
    if (!entry) return ''
    const owner = entry.value.is === 'scalar' ? entry.value.text : ''
    if (
      /^(?:[a-z_][a-z0-9_-]{0,31}|\d{1,10})(?::(?:[a-z_][a-z0-9_-]{0,31}|\d{1,10}))?$/.test(owner)
    )
      return owner
    this.problem(entry.value, 'owner is USER or USER:GROUP, by name or number.')
    return ''
  }

  private only(entry: YamlEntry | undefined): string[] {
    if (!entry) return []
    const nodes = entry.value.is === 'list' ? entry.value.items : [entry.value]
    return nodes.flatMap(node => this.text(node) ?? [])
  }

  private uci(entry: YamlEntry | undefined): ManifestUci[] {
    if (!entry) return []
    if (entry.value.is !== 'map') {
      this.problem(entry.value, 'uci is a map: network.lan.proto: static.')
      return []
    }
    if (entry.value.entries.length > LIMITS.uciChanges)
      this.problem(entry, `There are at most ${LIMITS.uciChanges} changes here.`)
    return entry.value.entries.flatMap(({ key, value, ...at }) => {
      const [, config, section, option = null] = UCI_KEY.exec(key) ?? []
      if (config === undefined || section === undefined) {
        this.problem(at, `"${key}" is not written CONFIG.SECTION.OPTION.`)
        return []
      }
      const change = this.uciChange(section, option, value)
      return change ? [{ line: at.line, column: at.column, config, change }] : []
    })
  }

  private uciChange(section: string, option: string | null, value: YamlNode): UciChange | null {
    if (value.is === 'scalar' && value.value === null) return { is: 'delete', section, option }
    if (value.is === 'list' && option !== null)
      return {
        is: 'list',
        section,
        option,
        values: value.items.flatMap(one => this.short(one, 'value of uci') ?? []),
      }
    const text = this.short(value, 'value of uci')
    if (text === null) return null
    if (option === null && !isUciName(text))
      this.problem(value, `"${text}" is no type of a section.`)
    return option === null
      ? { is: 'section', section, type: text }
      : { is: 'set', section, option, value: text }
  }

  private short(node: YamlNode, what: string): string | null {
    const text = this.text(node)
    if (text?.includes('\0')) this.problem(node, `A ${what} has no NUL in it.`)
    if (text !== null && new TextEncoder().encode(text).length > LIMITS.commandBytes)
      this.problem(node, `A ${what} has at most ${LIMITS.commandBytes} bytes: use a file.`)
    return text
  }

  private values(entry: YamlEntry | undefined): Manifest['values'] {
    const values = new Map<string, ReadonlyMap<string, string>>()
    if (!entry) return values
    if (entry.value.is !== 'map') this.problem(entry.value, 'values is a map: all, @tag or a name.')
    else for (const { key, value } of entry.value.entries) values.set(key, this.scope(value))
    return values
  }

  private scope(node: YamlNode): ReadonlyMap<string, string> {
    const scope = new Map<string, string>()
    if (node.is !== 'map') this.problem(node, 'These are values by name: { channel: 6 }.')
    else
      for (const entry of node.entries) {
        if (!isValueName(entry.key)) this.problem(entry, `"${entry.key}" is no name of a value.`)
        const value = this.text(entry.value)
        if (value !== null && value.length > LIMITS.valueChars)
          this.problem(entry.value, `A value has at most ${LIMITS.valueChars} characters.`)
        if (value !== null) scope.set(entry.key, value)
      }
    return scope
  }

  private packages(entry: YamlEntry | undefined): string[] {
    const nodes = this.list(entry, 'packages')
    return nodes.flatMap(node => {
      const name = this.text(node)
      if (name !== null && /^[a-zA-Z0-9][a-zA-Z0-9+._-]{0,127}$/.test(name)) return [name]
      if (name !== null) this.problem(node, `"${name}" is no name of a package.`)
      return []
    })
  }

  private services(entry: YamlEntry | undefined): string[] {
    const nodes = this.list(entry, 'reload')
    if (nodes.length > LIMITS.services)
      this.problem(entry!, `There are at most ${LIMITS.services} services here.`)
    return nodes.flatMap(node => {
      const name = this.text(node)
      if (name !== null && isServiceName(name)) return [name]
      if (name !== null) this.problem(node, `"${name}" is no name of a service.`)
      return []
    })
  }

  private commands(entry: YamlEntry | undefined): string[] {
    const nodes = this.list(entry, entry?.key ?? '')
    if (nodes.length > LIMITS.commands)
      this.problem(entry!, `There are at most ${LIMITS.commands} commands here.`)
    return nodes.flatMap(node => {
      const line = this.short(node, 'command')
      if (line?.trim() === '') this.problem(node, 'An empty line is no command.')
      return line ?? []
    })
  }

  private list(entry: YamlEntry | undefined, name: string): readonly YamlNode[] {
    if (!entry) return []
    if (entry.value.is === 'list') return entry.value.items
    if (entry.value.is === 'scalar' && entry.value.value === null) return []
    this.problem(entry.value, `${name} is a list.`)
    return []
  }

  private flag(entry: YamlEntry | undefined): boolean {
    if (!entry) return false
    const { value } = entry
    if (value.is === 'scalar' && typeof value.value === 'boolean') return value.value
    this.problem(value, 'This is true or false.')
    return false
  }

  private seconds(entry: YamlEntry | undefined, usual: number, max: number): number {
    if (!entry) return usual
    const seconds = this.number(entry, 1, max)
    if (seconds === null) this.problem(entry.value, `${entry.key} takes seconds, 1 to ${max}.`)
    return seconds ?? usual
  }

  private number(entry: YamlEntry | undefined, min: number, max: number): number | null {
    if (entry?.value.is !== 'scalar') return null
    const { value } = entry.value
    const isGood = typeof value === 'number' && Number.isInteger(value)
    return isGood && value >= min && value <= max ? value : null
  }

  private text(node: YamlNode): string | null {
    if (node.is === 'scalar' && node.value !== null)
      return typeof node.value === 'string' ? node.value : node.text
    this.problem(node, 'A text is wanted here.')
    return null
  }
}
