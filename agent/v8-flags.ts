/**
 * How V8 is set up in an agent; what it compiled ahead is of use only where it is set up the same (deploy/packs.ts).
 *
 * A device does a little of many things, so functions are optimized after they have run twice as much as V8 waits for
 * by itself: optimizing was a seventh of what the processor does for a command on a fleet.
 */
export const V8_FLAGS = [
  '--semi-space-growth-factor=1',
  '--expose-gc',
  '--interrupt-budget=135168',
] as const
