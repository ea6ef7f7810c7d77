import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  findPeer,
  loadPeer,
  PHOTO_PEERS,
  type PhotoPeer,
  peerFolder,
  requirePhotoPeers,
} from '../../lib/photos/peers.js'
import packageJson from '../../package.json' with { type: 'json' }
import peersJson from '../../peers/package.json' with { type: 'json' }
import { expectSfmError } from '../fixtures/expectSfmError.js'

const PEERS = Object.keys(PHOTO_PEERS) as PhotoPeer[]

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sfm-peers-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** Installs packages that hold this program. */
async function install(place: string, peers: readonly PhotoPeer[], program = 'module.exports = 7'): Promise<string> {
  const modules = join(folder, place)
  await mkdir(modules, { recursive: true })
  for (const peer of peers) {
    await mkdir(join(modules, peer), { recursive: true })
    // As with the real ones, what is exported is not what is looked for.
    await writeFile(join(modules, peer, 'package.json'), JSON.stringify({ name: peer, main: 'main.cjs', exports: {} }))
    await writeFile(join(modules, peer, 'main.cjs'), program)
  }
  return modules
}

describe('the peers of photos', () => {
  it('are optional, and the versions that are tested are within the range that is asked for', () => {
    for (const peer of PEERS) {
      expect(packageJson.peerDependenciesMeta[peer]).toEqual({ optional: true })
      expect(peersJson.dependencies[peer]).toBe(PHOTO_PEERS[peer])
      expect(Object.keys(packageJson.dependencies)).not.toContain(peer)
      const [, major] = /(\d+)\./.exec(packageJson.peerDependencies[peer])!
      expect(PHOTO_PEERS[peer].split('.')[0]).toBe(major)
    }
  })

  it('are missed all at once, with the command that installs them', async () => {
    const error = expectSfmError(() => requirePhotoPeers([join(folder, 'nowhere')]), 'MISSING_PEER')
    expect(error.message).toBe(
      `finding faces in photos needs packages that are not installed; this installs them: npm install ${PEERS.map((peer) => `${peer}@${PHOTO_PEERS[peer]}`).join(' ')}`,
    )
    const some = await install('some', ['@vladmandic/human', '@tensorflow/tfjs-core'])
    const { message } = expectSfmError(() => requirePhotoPeers([some]), 'MISSING_PEER')
    expect(message).not.toContain('human')
    expect(message).toMatch(/npm install @tensorflow\/tfjs-converter@\S+ @tensorflow\/tfjs-backend-wasm@\S+ sharp@\S+$/)
  })

  it('are found in the nearest place that has them, and loaded', async () => {
    const near = await install('near', ['sharp'])
    const far = await install('far', PEERS)
    expect(peerFolder('sharp', [near, far])).toBe(join(near, 'sharp'))
    expect(peerFolder('@vladmandic/human', [near, far])).toBe(join(far, '@vladmandic/human'))
    expect(peerFolder('sharp', [join(folder, 'nowhere')])).toBeUndefined()
    expect(() => requirePhotoPeers([near, far])).not.toThrow()
    expect(loadPeer('sharp', [near, far])).toBe(7)
    expect(findPeer('sharp', [near])).toBe(7)
    expect(findPeer('sharp', [join(folder, 'nowhere')])).toBeUndefined()
  })

  it('that cannot be loaded are an error that says why, and how to install them anew', async () => {
    const broken = await install('broken', PEERS, 'throw new Error("libvips.so is gone")')
    const error = expectSfmError(
      () => loadPeer('sharp', [broken]),
      'MISSING_PEER',
      /sharp could not be loaded: libvips.so is gone/,
    )
    expect(error.message).toMatch(/npm install sharp@[\d.]+$/)
    expect(findPeer('sharp', [broken])).toBeUndefined()
  })
})
