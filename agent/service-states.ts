/**
 * How services of this machine are: what systemd, procd and the process table say, read. Pure; what makes no sense is
 * `unknown`, never a guess that all is well.
 */

/**
 * `done` is a service of systemd that has done its work and has no process; `missing`: the machine has no such
 * service; `unknown`: nobody could be asked.
 */
export const SERVICE_STATES = [
  'running',
  'done',
  'starting',
  'stopping',
  'failed',
  'stopped',
  'missing',
  'unknown',
] as const
export type ServiceState = (typeof SERVICE_STATES)[number]

/** How one is, and since when as far as it is said, in milliseconds since 1970. */
export interface ServiceSaid {
  readonly state: ServiceState
  readonly since: number | null
}

export const UNKNOWN: ServiceSaid = { state: 'unknown', since: null }

/** A name as systemd and OpenWrt have them; none begins like an option, or leads to another directory. `process:` is ours. */
const NAME = /^(?:process:)?[A-Za-z0-9_@\\][A-Za-z0-9_.@\\-]{0,127}$/
const PROCESS = 'process:'

export const isServiceName = (name: string): boolean => NAME.test(name)

/** Of `process:NAME` the name; null of a service. */
export const processNamed = (name: string): string | null =>
  name.startsWith(PROCESS) ? name.slice(PROCESS.length) : null

/** What is asked of systemctl; in English and UTC, the way it writes a time is the same in all its versions. */
export const UNIT_PROPERTIES = 'LoadState,ActiveState,SubState,StateChangeTimestamp'

/** What `systemctl show` says of so many units, in the order in which they were asked for; null where it is of others. */
export function parseUnits(text: string, count: number): ServiceSaid[] | null {
  const blocks = text.split(/\n{2,}/).filter(block => block.trim() !== '')
  if (blocks.length !== count) return null
  return blocks.map(block => {
    const values = new Map(
      block.split('\n').flatMap(line => {
        const at = line.indexOf('=')
        return at < 1 ? [] : [[line.slice(0, at), line.slice(at + 1)] as const]
      }),
    )
    const state = unitState(values)
    const since = /^\w+ (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC$/.exec(
      values.get('StateChangeTimestamp') ?? '',
    )
    const at = since ? Date.parse(`${since[1]}T${since[2]}Z`) : Number.NaN
    return { state, since: Number.isNaN(at) ? null : at }
  })
}

function unitState(values: ReadonlyMap<string, string>): ServiceState {
  if (values.get('LoadState') === 'not-found') return 'missing'
  const sub = values.get('SubState')
  switch (values.get('ActiveState')) {
    case 'active':
    case 'reloading':
      return sub === 'exited' ? 'done' : 'running'
    case 'activating':
      // It ends again and again, and waits for its next start.
      return sub === 'auto-restart' ? 'failed' : 'starting'
    case 'deactivating':
      return 'stopping'
    case 'inactive':
      return 'stopped'
    case 'failed':
      return 'failed'
    default:
      return 'unknown'
  }
}

/** What procd says of one service. */
export interface ProcdSaid {
  readonly state: ServiceState
  /** Of what runs. */
  readonly pid: number | null
}

/** What `ubus call service list` says, by service; null where that is no list. */
export function parseProcd(text: string): Map<string, ProcdSaid> | null {
  let list: unknown
  try {
    list = JSON.parse(text)
  } catch {
    return null
  }
  if (!isObject(list)) return null
  return new Map(
    Object.entries(list).map(([name, service]) => {
      const all = isObject(service) && isObject(service.instances) ? service.instances : {}
      const instances = Object.values(all).filter(isObject)
      const running = instances.filter(one => one.running === true)
      const isFailed = instances.some(
        ({ running, exit_code: code }) => running !== true && typeof code === 'number' && code > 0,
      )
      const pid = running[0]?.pid
      return [
        name,
        {
          // One of several that has crashed is what somebody wants to hear of.
          state: isFailed ? 'failed' : running.length > 0 ? 'running' : 'stopped',
          pid: typeof pid === 'number' ? pid : null,
        },
      ]
    }),
  )
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

/** Hundredths of a second, on every architecture there is (proc(5)). */
const TICKS_A_SECOND = 100

/** When a process was started, in seconds after the machine, out of /proc/PID/stat; null where that is none. */
export function parseStartTime(stat: string): number | null {
  // The second field is the name, in parentheses, with whatever in it.
  const fields = stat.slice(stat.lastIndexOf(')') + 1).split(' ')
  const ticks = fields[20]
  return ticks !== undefined && /^\d{1,15}$/.test(ticks) ? Number(ticks) / TICKS_A_SECOND : null
}
