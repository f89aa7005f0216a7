import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

// CI adds up the totals of several runs from these files.
const json = process.env.VITEST_JSON

/** What is shipped, built and installed (`npm run shipping`). */
const SHIPPING = ['bundle', 'packages', 'systemd', 'upgrade'].map(
  name => `test/interop/${name}.test.ts`,
)

export default defineConfig({
  test: {
    reporters: json ? ['default', ['json', { outputFile: json }]] : ['default'],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/interop/**'],
          testTimeout: 20_000,
          // Without it a machine of two cores has one.
          maxWorkers: Math.max(2, availableParallelism() - 1),
        },
      },
      {
        test: {
          name: 'interop',
          include: ['test/interop/**/*.test.ts'],
          exclude: SHIPPING,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          // They wait more than they work: three at a time, each worker with ports of its own (lab.ts).
          maxWorkers: 3,
          // About one run in five of GNUnet's own daemons stalls for seconds; a second try tells that from a fault.
          retry: 1,
        },
      },
      {
        test: {
          name: 'shipping',
          include: SHIPPING,
          testTimeout: 600_000,
          hookTimeout: 600_000,
          globalSetup: 'test/interop/shipping.ts',
          maxWorkers: 2,
        },
      },
    ],
  },
})
