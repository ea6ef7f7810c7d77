#!/usr/bin/env node
import { run } from './program.js'

const controller = new AbortController()

// The first Ctrl-C asks for an end in order; with the listener gone, the second one is the system's.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort())

const { stdin, stdout, stderr, env } = process
const debug = env.SFM_DEBUG !== undefined && env.SFM_DEBUG !== ''

void run(process.argv.slice(2), { stdin, stdout, stderr, controller, debug }).then((status) => {
  process.exitCode = status
  // Nothing reads it any more, but an open pipe or terminal would keep the process waiting.
  stdin.destroy()
})
