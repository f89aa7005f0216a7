import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

// CI adds up the totals of several runs from these files.
const json = process.env.VITEST_JSON

/** What is shipped, built and installed (`npm run shipping`). */
const SHIPPING = ['bundle', 'packages', 'systemd', 'upgrade'].map(
  name => `test/interop/${name}.test.ts`,
)

/** What a run leaves out, by name: .ci/run has half an hour. */
const LEFT_OUT = (process.env.LEFT_OUT ?? '')
  .split(' ')
  .filter(name => name !== '')
  .map(name => `test/interop/${name}.test.ts`)

/** Files over which a run that begins with short ones ends up waiting alone. */
const LONG = ['alerts', 'upgrade', 'packages', 'ssh', 'gnunet-fleet', 'push', 'resume', 'tools']

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const at = LONG.findIndex(name => moduleId.endsWith(`/interop/${name}.test.ts`))
      return at < 0 ? LONG.length : at
    }
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b))
  }
}

/** What is waited for comes late on a machine that has much else to do; a second, as it is else, is no sign of a fault. */
const expect = { poll: { timeout: 10_000 } }

/** Tests over real processes wait more than they work; each worker has ports of its own (lab.ts). */
const WAITING = 4

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    reporters: json ? ['default', ['json', { outputFile: json }]] : ['default'],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/interop/**'],
          // Of arithmetic and files, on a machine that may have much else to do.
          testTimeout: 60_000,
          // Of those that start an agent and an API.
          hookTimeout: 60_000,
          expect,
          // Without it a machine of two cores has one.
          maxWorkers: Math.max(2, availableParallelism() - 1),
        },
      },
      {
        test: {
          name: 'interop',
          include: ['test/interop/**/*.test.ts'],
          exclude: [...SHIPPING, ...LEFT_OUT],
          testTimeout: 120_000,
          expect,
          hookTimeout: 120_000,
          maxWorkers: WAITING,
          // About one run in five of GNUnet's own daemons stalls for seconds, and then sometimes again; a third try tells that from a fault.
          retry: 2,
        },
      },
      {
        test: {
          name: 'shipping',
          include: SHIPPING,
          exclude: LEFT_OUT,
          testTimeout: 600_000,
          expect,
          hookTimeout: 600_000,
          globalSetup: 'test/interop/shipping.ts',
          maxWorkers: WAITING,
        },
      },
    ],
  },
})
