/**
 * How V8 is set up in an agent; what it compiled ahead is of use only where it is set up the same (deploy/packs.ts).
 *
 * A device does a little of many things. Functions are optimized after they have run four times as much as V8 would
 * wait for, then: else that is a fifth of what the processor does for a command on a fleet.
 */
export const V8_FLAGS = [
  '--semi-space-growth-factor=1',
  '--expose-gc',
  '--interrupt-budget=270336',
] as const
