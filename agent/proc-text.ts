/**
 * What the kernel says about the machine, out of the texts it says it in (proc(5), sysfs). Pure; a text that
 * is not as expected gives null, or leaves the line out: a status with a gap is better than none.
 */

/** The load of the last minute, in hundredths. */
export function parseLoad(loadavg: string): number | null {
  const found = /^(\d+)\.(\d\d) /.exec(loadavg)
  return found ? Number(found[1]) * 100 + Number(found[2]) : null
}

export interface MemoryFigures {
  /** Bytes. */
  readonly total: number
  readonly available: number
}

/** Old kernels do not say what is available: then it is what is free, buffered or cached. */
export function parseMemory(meminfo: string): MemoryFigures | null {
  const figure = (name: string): number | null => {
    const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(meminfo)
    return found ? Number(found[1]) * 1_024 : null
  }
  const total = figure('MemTotal')
  if (total === null) return null
  const guess = (figure('MemFree') ?? 0) + (figure('Buffers') ?? 0) + (figure('Cached') ?? 0)
  return { total, available: figure('MemAvailable') ?? guess }
}

/** Seconds since the machine started. */
export function parseUptime(uptime: string): number | null {
  const found = /^(\d+)\.\d+ /.exec(uptime)
  return found ? Number(found[1]) : null
}

export interface InterfaceFigures {
  readonly name: string
  /** Bytes since the interface came up. */
  readonly received: number
  readonly sent: number
}

/** The interfaces of /proc/net/dev but the one to oneself. */
export function parseInterfaces(netDev: string): InterfaceFigures[] {
  return netDev.split('\n').flatMap(line => {
    const found = /^\s*([^\s:]+):\s*(\d+)(?:\s+\d+){7}\s+(\d+)/.exec(line)
    if (!found || found[1] === 'lo') return []
    return [{ name: found[1]!, received: Number(found[2]), sent: Number(found[3]) }]
  })
}

/** File systems that are on something: not those that the kernel makes up. */
const ON_DISK =
  /^(ext[234]|xfs|btrfs|f2fs|vfat|exfat|ntfs3?|fuseblk|zfs|ubifs|jffs2|overlay|bcachefs)$/

/** Where file systems with data of their own are mounted, each device once. */
export function parseMounts(mounts: string): string[] {
  const seen = new Set<string>()
  return mounts.split('\n').flatMap(line => {
    const [device, where, type] = line.split(' ')
    if (!device || !where || !type || !ON_DISK.test(type) || seen.has(device)) return []
    seen.add(device)
    return [withoutOctal(where)]
  })
}

/** The kernel writes blanks and backslashes in octal. */
const withoutOctal = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)))

/** What the system calls itself (os-release(5)). */
export function parseSystemName(osRelease: string): string | null {
  const found = /^PRETTY_NAME=(?:"([^"\n]*)"|'([^'\n]*)'|([^\n]*))$/m.exec(osRelease)
  return found ? (found[1] ?? found[2] ?? found[3] ?? '') || null : null
}

/** Thousandths of a degree; sensors that are off say nonsense. */
export function parseTemperature(text: string): number | null {
  if (!/^-?\d{1,7}\n?$/.test(text)) return null
  const value = Number(text)
  return value > -60_000 && value < 250_000 ? value : null
}
