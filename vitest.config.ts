import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // A crash of the addon then fails one test file instead of the whole run, and errors of native code keep their `instanceof`.
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
})
