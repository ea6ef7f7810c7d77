import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SfmError } from '../errors.js'

/**
 * What reading photos needs besides this package, and the versions it was made with. Optional peer dependencies: who
 * fits landmarks alone need not have them.
 */
export const PHOTO_PEERS = {
  /** Only its model files are used: BlazeFace, Face Mesh and the iris model, in `models/`. */
  '@vladmandic/human': '3.3.6',
  '@tensorflow/tfjs-core': '4.22.0',
  '@tensorflow/tfjs-converter': '4.22.0',
  '@tensorflow/tfjs-backend-wasm': '4.22.0',
  sharp: '0.35.5',
} as const

/** One of the packages of {@link PHOTO_PEERS}. */
export type PhotoPeer = keyof typeof PHOTO_PEERS

const PEERS = Object.keys(PHOTO_PEERS) as PhotoPeer[]

/**
 * Where peers are looked for, the nearest first: beside this package, as Node looks for any package, and in `peers/` of
 * a checkout of its repository, where `npm run peers` installs them.
 */
const PLACES: readonly string[] = [
  ...(createRequire(import.meta.url).resolve.paths('sharp') ?? []),
  fileURLToPath(new URL('../../peers/node_modules', import.meta.url)),
]

/**
 * The folder of an installed peer.
 *
 * Found without its `exports`, which hide the files that are wanted here.
 *
 * @returns Undefined where it is not installed.
 */
export function peerFolder(peer: PhotoPeer, places: readonly string[] = PLACES): string | undefined {
  return places.map((place) => join(place, peer)).find((folder) => existsSync(join(folder, 'package.json')))
}

/**
 * Makes sure that all peers are there, so that a person hears of the missing ones together.
 *
 * @throws SfmError MISSING_PEER with the command that installs them.
 */
export function requirePhotoPeers(places: readonly string[] = PLACES): void {
  const missing = PEERS.filter((peer) => peerFolder(peer, places) === undefined)
  if (missing.length === 0) return
  throw new SfmError(
    'MISSING_PEER',
    `finding faces in photos needs packages that are not installed; this installs them: ${installCommand(missing)}`,
  )
}

/**
 * Loads a peer that is good to have, but not needed.
 *
 * @returns Undefined where it is not installed or cannot be loaded.
 */
export function findPeer<Module>(peer: PhotoPeer, places: readonly string[] = PLACES): Module | undefined {
  const folder = peerFolder(peer, places)
  try {
    return folder === undefined ? undefined : (createRequire(import.meta.url)(folder) as Module)
  } catch {
    return undefined
  }
}

/**
 * Loads an installed peer.
 *
 * @throws SfmError MISSING_PEER where it is not installed or cannot be loaded.
 */
export function loadPeer<Module>(peer: PhotoPeer, places: readonly string[] = PLACES): Module {
  requirePhotoPeers(places)
  try {
    return createRequire(import.meta.url)(peerFolder(peer, places) as string) as Module
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new SfmError(
      'MISSING_PEER',
      `the package ${peer} could not be loaded: ${reason}\nThis installs it anew: ${installCommand([peer])}`,
      { cause: error },
    )
  }
}

function installCommand(peers: readonly PhotoPeer[]): string {
  return `npm install ${peers.map((peer) => `${peer}@${PHOTO_PEERS[peer]}`).join(' ')}`
}
