// Builds for this platform and moves the stripped result from build/Release to prebuilds/<platform>-<arch>/.
import { createRequire } from 'node:module'
import { promisify } from 'node:util'
import { root } from './native.mjs'

const prebuildify = promisify(createRequire(import.meta.url)('prebuildify'))

await prebuildify({
  cwd: root,
  napi: true,
  strip: true,
  // glibc's and musl's binaries must not be taken for each other.
  tagLibc: process.platform === 'linux',
  // Ours in place of node-gyp, which would download headers that a Node-API addon has no use for. Through a shell,
  // because prebuildify expects one program's name here.
  nodeGyp: `"${process.execPath}" scripts/build-native.mjs`,
  shell: true,
})
