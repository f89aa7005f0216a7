import { describe, expect, test } from 'vitest'
import { findDaemon, type Installation } from '../../../src/mesh/ipc/configuration.ts'
import { DIALECTS, dialectOf } from '../../../src/mesh/ipc/dialect.ts'

/** A machine with these files and sockets. */
const machine = (
  files: Record<string, string>,
  sockets: readonly string[],
  env: Record<string, string> = {},
): Installation => ({
  env,
  read: path => files[path] ?? null,
  list: directory =>
    Object.keys(files)
      .filter(path => path.startsWith(`${directory}/`))
      .map(path => path.slice(directory.length + 1)),
  exists: path => path in files || sockets.includes(path),
  groupOf: () => null,
  version: () => null,
})

const DEBIAN = `[path]
GNUNET_RUNTIME_DIR = /var/run/gnunet/
`
const SYSTEM = '/tmp/gnunet-system-runtime/gnunet-service-core.sock'

describe('the sockets of a daemon', () => {
  test('are where its file says, with variables of PATHS, the environment and defaults', () => {
    const files = {
      '/etc/peer.conf': `# a comment
[paths]
GNUNET_HOME = \${BOX_HOME:-\${NOTHING:-/srv}}/peer
GNUNET_RUNTIME_DIR = $GNUNET_HOME/run/
GNUNET_USER_RUNTIME_DIR = $GNUNET_HOME//user
[CADET]
UNIXPATH = "$GNUNET_RUNTIME_DIR/other.sock"
[gns]
.corp = 000G
`,
    }
    const daemon = findDaemon(machine(files, []), '/etc/peer.conf')
    expect(daemon.socket('core')).toBe('/srv/peer/run/gnunet-service-core.sock')
    expect(daemon.socket('cadet')).toBe('/srv/peer/run/other.sock')
    expect(daemon.socket('identity')).toBe('/srv/peer/user/gnunet-service-identity.sock')
    expect(daemon.tlds.get('corp')).toBe('000G')
    const elsewhere = machine(files, [], { BOX_HOME: '/home/me' })
    expect(findDaemon(elsewhere, '/etc/peer.conf').socket('core')).toBe(
      '/home/me/peer/run/gnunet-service-core.sock',
    )
  })

  test("are in /tmp with Debian's own file, which GNUnet does not understand either", () => {
    expect(findDaemon(machine({ '/etc/gnunet.conf': DEBIAN }, [SYSTEM]), null)).toMatchObject({
      file: '/etc/gnunet.conf',
    })
  })

  test('are found where the daemon has another TMPDIR than we', () => {
    const there = machine({}, [SYSTEM], { TMPDIR: '/home/me/tmp' })
    expect(findDaemon(there, null).socket('core')).toBe(SYSTEM)
    const own = '/home/me/tmp/gnunet-system-runtime/gnunet-service-core.sock'
    const both = machine({}, [SYSTEM, own], { TMPDIR: '/home/me/tmp' })
    expect(findDaemon(both, null).socket('core')).toBe(own)
  })

  test("are the user's before the machine's", () => {
    const files = {
      '/home/me/.config/gnunet.conf': '[PATHS]\nGNUNET_RUNTIME_DIR = /run/user/7/\n',
      '/etc/gnunet.conf': DEBIAN,
    }
    const own = '/run/user/7/gnunet-service-core.sock'
    const both = machine(files, [own, SYSTEM], { HOME: '/home/me' })
    expect(findDaemon(both, null).socket('core')).toBe(own)
    const onlySystem = machine(files, [SYSTEM], { HOME: '/home/me' })
    expect(findDaemon(onlySystem, null).file).toBe('/etc/gnunet.conf')
  })

  test('are told where they were looked for, if there are none', () => {
    expect(() => findDaemon(machine({}, []), null)).toThrow(
      expect.objectContaining({ code: 'GNUNET_ABSENT', message: expect.stringContaining(SYSTEM) }),
    )
    expect(() => findDaemon(machine({}, []), '/etc/none.conf')).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    )
  })

  test('do not hang on a variable that leads to itself', () => {
    const file = '[PATHS]\nGNUNET_RUNTIME_DIR = $A\nA = $B\nB = $A\n'
    expect(findDaemon(machine({ '/x': file }, []), '/x').socket('core')).toContain('$')
  })
})

describe('the dialect', () => {
  const evidence = (
    sockets: readonly string[],
    tellsClass = false,
    version: string | null = null,
  ) => ({
    has: (name: string) => sockets.includes(name),
    tellsClass,
    version,
  })

  test.for([
    [['peerinfo', 'ats'], false, '0.19.3', DIALECTS.A],
    [['peerinfo'], false, null, DIALECTS.A],
    [[], false, '0.21.1', DIALECTS.B21],
    [[], false, '0.22.0', DIALECTS.B],
    [[], false, null, DIALECTS.B],
    [['pils'], false, '0.27.0', DIALECTS.CD],
    [[], true, '0.19.3', DIALECTS.CD],
  ] as const)(
    'of sockets %o, class %o and tools %o is told',
    ([sockets, tells, version, dialect]) => {
      expect(dialectOf(evidence(sockets, tells, version))).toBe(dialect)
    },
  )

  test('of a daemon before 0.19 is none', () => {
    expect(() => dialectOf(evidence(['peerinfo'], false, '0.17.6'))).toThrow(
      expect.objectContaining({ code: 'GNUNET_TOO_OLD' }),
    )
  })
})
