/**
 * The programs on real daemons in place of peers of our own, mixed fleets, and daemons that fail: stopped,
 * restarted, killed, one of their services killed. Three daemons in a line.
 */

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { portId } from '../../src/base/ids.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import { message, rest } from '../../src/wire/layout.ts'
import { Inbox } from '../compliance/mesh.ts'
import { attach, eventually } from './daemon-mesh.ts'
import { Agent, Controller } from './fleet.ts'
import { Lab, withEachRelease } from './lab.ts'
import { BOX, cleanUp, run, succeed } from './program.ts'

const [NEAR, MIDDLE, FAR] = [1, 2, 3]
const Cli = message('CADET_CLI', 1_059, { text: rest })
const text = (words: string) => Cli.encode({ text: new TextEncoder().encode(words) })
const heard = (raw: Uint8Array) => new TextDecoder().decode(Cli.decode(raw).text)
const portOf = (name: string) => portId(new Uint8Array(createHash('sha512').update(name).digest()))

interface Status {
  readonly engine: string
  readonly troubles: readonly { kind: string; detail: string; cure: string }[]
  readonly neighbours: readonly { state: string }[]
}

withEachRelease('a fleet on daemons', release => {
  const lab = new Lab(release)
  const engine = (daemon: number) => ['--mesh', 'gnunet', '--gnunet-conf', lab.conf(daemon)]
  beforeAll(() => lab.up(3, 'line'))
  afterEach(() => cleanUp())
  afterAll(() => lab.down())

  async function statusOf(agent: Agent): Promise<Status> {
    const { out } = await agent.ask('status', '--json')
    return JSON.parse(out) as Status
  }

  /** An agent and a controller that are paired. */
  async function paired(agentWords: readonly string[], boxWords: readonly string[]) {
    const agent = new Agent('device', agentWords)
    await agent.linked()
    const owner = new Controller('owner')
    await owner.must('init')
    await owner.must('pair', ...boxWords, await agent.pairingCode(), '--as', 'kitchen')
    return { agent, owner }
  }

  test('the whole main job, with daemons in place of our peers', async () => {
    const daemons = [NEAR, MIDDLE, FAR].flatMap(daemon => ['--daemon', lab.conf(daemon)])
    const words = [process.execPath, BOX, 'demo', '--mesh', 'gnunet', ...daemons, '--json']
    const report = JSON.parse(await succeed(words, { ms: 100_000 }))
    const pids = await Promise.all([NEAR, MIDDLE, FAR].map(daemon => lab.id(daemon)))
    expect(report).toMatchObject({
      name: 'kitchen.home',
      hub_pid: pids[1],
      path: pids,
      exit_code: 0,
    })
  })

  // It starts the daemons that are installed: Debian's own.
  if (release.root === '')
    test('the same on three daemons that it starts itself', async () => {
      const words = [process.execPath, BOX, 'demo', '--mesh', 'gnunet', '--json']
      const report = JSON.parse(await succeed(words, { ms: 100_000 }))
      expect(report).toMatchObject({ name: 'kitchen.home', exit_code: 0 })
      expect(report.path).toHaveLength(3)
      const { out } = await run(['pgrep', '-f', 'box-demo-.*gnunet.conf'])
      expect(out).toBe('')
    })

  test('stock gnunet-cadet talks to a port opened through us, and we to one of its', async () => {
    const mesh = await attach(lab, NEAR)
    mesh.listen(portOf('ours'), channel =>
      channel.attach({
        message: raw => void channel.send(text(`echo ${heard(raw)}`)),
        drained: () => {},
        closed: () => {},
      }),
    )
    const stock = lab.start(FAR, 'gnunet-cadet', await lab.id(NEAR), 'ours')
    stock.child.stdin!.write('from stock\n')
    await stock.until(/echo from stock/)
    const listener = lab.start(FAR, 'gnunet-cadet', '-o', 'theirs')
    const far = await attach(lab, FAR)
    const channel = await mesh.connect(far.self, portOf('theirs'))
    const inbox = new Inbox()
    channel.attach(inbox)
    channel.send(text('from us\n'))
    await listener.until(/from us/)
    listener.child.stdin!.write('from them\n')
    await eventually(() => inbox.messages.length > 0)
    expect(inbox.messages.map(heard).join('')).toBe('from them\n')
    expect(channel.path()!.map(pid => encodeBase32(pid))).toEqual(
      await Promise.all([NEAR, MIDDLE, FAR].map(daemon => lab.id(daemon))),
    )
    await Promise.all([mesh.close(), far.close()])
  })

  test('an embedded agent and a controller on a daemon', async () => {
    const hub = ['--hub-url', await lab.hello(NEAR)]
    const { owner } = await paired(hub, engine(FAR))
    const said = await owner.must('exec', ...engine(FAR), 'kitchen', '--', 'echo', 'mixed')
    expect(said).toBe('kitchen | mixed\n')
    const well = await owner.must('doctor', ...engine(FAR), 'kitchen')
    expect(well).toMatch(/ok {4}gnunet-gns kitchen: finds \d+ records/)
    expect(well).toMatch(/ok {4}way to kitchen: \w{4}( > \w{4})+ in \d+ ms/)
  })

  test('an agent on a daemon and an embedded controller', async () => {
    const hub = ['--hub-url', await lab.hello(MIDDLE)]
    const { agent, owner } = await paired([...engine(NEAR), ...hub], [])
    expect(await owner.must('exec', 'kitchen', '--', 'echo', 'mixed')).toBe('kitchen | mixed\n')
    expect((await statusOf(agent)).engine).toBe('gnunet')
  })

  test('an agent at a hub of ours and one of theirs is reached by either', async () => {
    const ours = new Agent('hub', ['--hub', '--listen', '127.0.0.1:0'])
    const { hello, pid } = await ours.status(status => status.hello.includes('+tcp'))
    const hubs = ['--hub-url', hello, '--hub-url', await lab.hello(NEAR)]
    const { agent, owner } = await paired(hubs, [])
    await agent.linked(2)
    const path = async (...words: string[]) => {
      const said = await owner.must('ssh', ...words, 'kitchen', '--json', '--', 'true')
      return (JSON.parse(said) as { path: string[] }).path
    }
    expect((await path()).slice(1, -1).every(hop => [pid, hop].includes(hop))).toBe(true)
    ours.program.kill('SIGKILL')
    await ours.program.ended()
    expect((await path()).slice(1, -1)).toEqual([await lab.id(NEAR)])
    // How soon a daemon looks for a way again is its own affair: one search may come to nothing.
    const words = ['ssh', ...engine(MIDDLE), 'kitchen', '--json', '--', 'true']
    const said = await eventually(async () => {
      const { code, out } = await owner.box(...words)
      return code === 0 ? out : null
    }, 90_000)
    expect((JSON.parse(said) as { path: string[] }).path.length).toBeGreaterThan(1)
  })

  test('the doctor says which daemon it is on, and when there is none', async () => {
    const owner = new Controller('owner')
    await owner.must('init')
    const said = await owner.must('doctor', ...engine(MIDDLE))
    expect(said).toContain(`GNUnet 0.19 to 0.20, wire class A, ${lab.conf(MIDDLE)}`)
    expect(said).toMatch(/peer \w{4}, 2 neighbours: \w{4} 127\.0\.0\.1:\d+/)
    const none = ['--mesh', 'gnunet', '--gnunet-conf', '/etc/hostname']
    const ill = await owner.box('doctor', ...none)
    expect(ill).toMatchObject({
      code: 78,
      out: expect.stringContaining('FAIL  engine: No GNUnet'),
    })
    const auto = await owner.box('doctor', '--mesh', 'auto', '--gnunet-conf', '/etc/hostname')
    expect(auto.out).toContain('embedded, no daemon answers')
  })

  test('a service killed under open channels ends them; the next command works', async () => {
    const hub = ['--hub-url', await lab.hello(MIDDLE)]
    const { owner } = await paired([...engine(NEAR), ...hub], [])
    const mesh = await attach(lab, NEAR)
    const far = await attach(lab, FAR)
    far.listen(portOf('held'), channel => channel.attach(new Inbox()))
    const channel = await mesh.connect(far.self, portOf('held'))
    const inbox = new Inbox()
    channel.attach(inbox)
    const cadet = (await lab.processes(NEAR)).find(pid =>
      readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('gnunet-service-cadet'),
    )
    process.kill(cadet!, 'SIGKILL')
    await eventually(() => inbox.reason)
    expect(inbox.reason).toMatchObject({ code: 'CHANNEL_LOST' })
    const said = await eventually(async () => {
      const { code, out } = await owner.box('exec', 'kitchen', '--', 'echo', 'again')
      return code === 0 ? out : null
    }, 60_000)
    expect(said).toBe('kitchen | again\n')
    await Promise.all([mesh.close(), far.close()])
  })

  // Last: whoever had a tunnel with the old process of that daemon cannot use it with the new one
  // (gnunet-behaviour.md: dead tunnels after a peer's restart).
  test('an agent outlives its daemon, says so, and is reached when it is back', async () => {
    const hub = ['--hub-url', await lab.hello(MIDDLE)]
    const { agent, owner } = await paired([...engine(NEAR), ...hub], [])
    await lab.stop(NEAR)
    const down = await eventually(async () => {
      const status = await statusOf(agent)
      return status.troubles.length > 0 ? status : null
    })
    expect(down.troubles[0]).toMatchObject({
      kind: 'service',
      cure: expect.stringContaining('Start the daemon'),
    })
    expect(down.neighbours).toEqual([])
    await lab.startAgain(NEAR)
    await agent.linked()
    const back = await eventually(async () => {
      const { code, out } = await owner.box('exec', 'kitchen', '--', 'echo', 'back')
      return code === 0 ? out : null
    }, 60_000)
    expect(back).toBe('kitchen | back\n')
    expect((await statusOf(agent)).troubles).toEqual([])
  })
})
