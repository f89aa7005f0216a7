// Loaded before hypershell's programs: their nodes are public, since punching between two nodes of one host loses
// packets, and find each other at the test network of this measurement. The programs have no options for that.
const Module = require('node:module')

const load = Module._load
const port = Number(process.env.BENCH_TESTNET_PORT)
Module._load = function (name, ...others) {
  const found = load.call(this, name, ...others)
  if (name !== 'hyperdht') return found
  return class HyperDHT extends found {
    constructor(options = {}) {
      super({ ...options, firewalled: false, bootstrap: [{ host: '127.0.0.1', port }] })
    }
  }
}
