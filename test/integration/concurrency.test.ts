import { describe, expect, it } from 'vitest'
import { runToTheEnd } from '../fixtures/child.js'

describe('the event loop', () => {
  it.each([
    ['a fit', 'fit', '40 fits'],
    ['a decode', 'decode', 'true decode'],
    ['one call after the other', 'chain', '20 in a chain'],
    ['an aborted call', 'abort', 'ABORTED'],
    ['no call at all', 'none', ''],
  ])('lives exactly as long as %s', async (_, how, said) => {
    const out = await runToTheEnd('alive.mjs', [how])
    expect(out).toBe(`${said && `${said}\n`}end with 0 calls under way\n`)
  })
})

describe('garbage collection', () => {
  it('takes no model from under its calls, and every model in the end', async () => {
    expect(await runToTheEnd('collect.mjs', [], { flags: ['--expose-gc'] })).toContain('collected')
  })
})
