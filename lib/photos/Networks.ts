import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { SfmError } from '../errors.js'
import { loadPeer, peerFolder, requirePhotoPeers } from './peers.js'

/** Sides of the networks' square inputs, in samples. */
export const INPUT = { faces: 256, mesh: 192, eyes: 64 } as const

/** Places at which BlazeFace looks for a face: 16 x 16 with two sizes each, and 8 x 8 with six. */
export const ANCHORS = 16 * 16 * 2 + 8 * 8 * 6

/** Numbers of a box: centre and size, then six points, all as x and y. */
export const BOX_NUMBERS = 16

/** Points of Face Mesh, without the irises. */
export const MESH_POINTS = 468

/** Points of the iris model for each eye: 71 around it, 5 of the iris. */
export const EYE_POINTS = 76

/**
 * The three networks of MediaPipe that find landmarks: each a function of numbers, here without any knowledge of what
 * they mean. All inputs are [count, side, side, 3] colours.
 */
export interface Networks {
  /** BlazeFace, of a picture in -1..1: a logit for each anchor, and its box in samples from the anchor. */
  faces(picture: Float32Array): { logits: Float32Array; boxes: Float32Array }
  /** Face Mesh, of a face in 0..1: [MESH_POINTS,3] in samples, and the probability that there is a face. */
  mesh(face: Float32Array): { points: Float32Array; presence: number }
  /** The iris model, of left-hand eyes in 0..1: [count, EYE_POINTS, 3] in samples. */
  eyes(eyes: Float32Array, count: number): Float32Array
}

interface Tensor {
  shape: number[]
  dataSync(): Float32Array
}

interface GraphModel {
  execute(input: Tensor): Tensor | Tensor[]
}

interface TensorFlow {
  setBackend(name: string): Promise<boolean>
  ready(): Promise<void>
  tensor4d(data: Float32Array, shape: readonly number[]): Tensor
  dispose(tensors: Tensor[]): void
}

interface Converter {
  loadGraphModelSync(handler: { load(): ModelArtifacts }): GraphModel
}

/** A model as tfjs takes it from memory. */
interface ModelArtifacts {
  modelTopology: unknown
  signature: unknown
  weightSpecs: unknown[]
  weightData: ArrayBuffer
}

/**
 * Loads TensorFlow.js with its WebAssembly backend, and the models out of the peer's own files. Nothing is downloaded.
 *
 * Its state is the process's (or worker's) own, so it is loaded once in each.
 *
 * @throws SfmError MISSING_PEER
 */
export async function loadNetworks(): Promise<Networks> {
  requirePhotoPeers()
  const tf = loadPeer<TensorFlow>('@tensorflow/tfjs-core')
  const converter = loadPeer<Converter>('@tensorflow/tfjs-converter')
  loadPeer('@tensorflow/tfjs-backend-wasm')
  if (!(await tf.setBackend('wasm')))
    throw new SfmError('MISSING_PEER', 'the WebAssembly backend of TensorFlow.js did not start')
  await tf.ready()
  const [faces, mesh, eyes] = ['blazeface', 'facemesh', 'iris'].map((name) => loadModel(converter, name)) as [
    GraphModel,
    GraphModel,
    GraphModel,
  ]

  /** Runs a network; its outputs by their numbers for one input, which are all different. */
  function run(model: GraphModel, input: Float32Array, count: number, side: number): (size: number) => Float32Array {
    const tensor = tf.tensor4d(input, [count, side, side, 3])
    const outputs = [model.execute(tensor)].flat()
    const arrays = new Map(outputs.map((output) => [sizeOf(output) / count, output.dataSync().slice()]))
    tf.dispose([tensor, ...outputs])
    return (size) => {
      const array = arrays.get(size)
      if (array === undefined) throw new SfmError('MISSING_PEER', 'the models of @vladmandic/human are of another kind')
      return array
    }
  }

  return {
    faces(picture) {
      const output = run(faces, picture, 1, INPUT.faces)
      const [fine, coarse] = [512, 384]
      return {
        logits: joined(output(fine), output(coarse)),
        boxes: joined(output(fine * BOX_NUMBERS), output(coarse * BOX_NUMBERS)),
      }
    },
    mesh(face) {
      const output = run(mesh, face, 1, INPUT.mesh)
      return { points: output(MESH_POINTS * 3), presence: output(1)[0] as number }
    },
    eyes(input, count) {
      return run(eyes, input, count, INPUT.eyes)(EYE_POINTS * 3)
    },
  }
}

function loadModel(converter: Converter, name: string): GraphModel {
  const folder = join(peerFolder('@vladmandic/human') as string, 'models')
  try {
    const { modelTopology, signature, weightsManifest } = JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8'))
    const manifest = weightsManifest as Array<{ paths: string[]; weights: unknown[] }>
    const bytes = Buffer.concat(manifest.flatMap(({ paths }) => paths.map((path) => readFileSync(join(folder, path)))))
    const weightSpecs = manifest.flatMap(({ weights }) => weights)
    // A copy with a buffer of its own, which tfjs takes whole.
    const weightData = new Uint8Array(bytes).buffer
    return converter.loadGraphModelSync({ load: () => ({ modelTopology, signature, weightSpecs, weightData }) })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new SfmError('MISSING_PEER', `the model ${name} of @vladmandic/human could not be loaded: ${reason}`, {
      cause: error,
    })
  }
}

function sizeOf({ shape }: Tensor): number {
  return shape.reduce((product, length) => product * length, 1)
}

function joined(a: Float32Array, b: Float32Array): Float32Array {
  const both = new Float32Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}
