// The thread that FaceDetector starts: a detection takes some tens of milliseconds of arithmetic, for which an event
// loop should not have to wait.
import { parentPort } from 'node:worker_threads'
import { SfmError } from '../errors.js'
import { findAllFaces } from './findAllFaces.js'
import type { DetectionReply, DetectionRequest, LoadReply, PlainError } from './messages.js'
import { loadNetworks, type Networks } from './Networks.js'
import { TooCoarse } from './Pyramid.js'

const port = parentPort
if (port === null) throw new SfmError('INTERNAL', 'the face detector runs in a worker thread')

loadNetworks().then(serve, (error) => port.postMessage({ loaded: false, error: plain(error) } satisfies LoadReply))

function serve(networks: Networks): void {
  port?.on('message', (request: DetectionRequest) => port.postMessage(detect(networks, request)))
  port?.postMessage({ loaded: true } satisfies LoadReply)
}

function detect(networks: Networks, { id, picture }: DetectionRequest): DetectionReply {
  try {
    return { id, faces: findAllFaces(networks, picture) }
  } catch (error) {
    if (error instanceof TooCoarse) return { id, faces: undefined }
    return { id, error: plain(error) }
  }
}

function plain(error: unknown): PlainError {
  if (error instanceof SfmError) return { code: error.code, message: error.message }
  return { code: 'INTERNAL', message: error instanceof Error ? (error.stack ?? error.message) : String(error) }
}
