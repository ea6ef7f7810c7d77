// Makes the embedded model from a Gaussian one: lifts it onto the sphere (docs/sphere.md), stores its bases as 16-bit
// floats, says how far the landmarks of ibug68 are to be trusted, and measures what the rounding costs. The same source
// gives the same bytes. Needs the package built:
//
//     node scripts/make-default-model.mjs [SOURCE] [OUT]
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeModelFile } from '../dist/model/formats/modelFile.js'
import { readModel } from '../dist/model/formats/sphereFaceModel.js'
import { asFloat32, withBasisPrecision } from '../dist/model/half.js'
import { lift, liftingOf, liftLatent } from '../dist/model/lift.js'
import { Random } from '../dist/random.js'

const LIFT = { quantile: 0.999, margin: 1.1 }

// The jaw's points slide along the cheek as the head turns: twice the noise of the others (docs/model-format.md has the
// scale).
const IBUG68_JAW = { first: 0, last: 16, reliability: 0.35 }

const at = (path) => fileURLToPath(new URL(path, import.meta.url))
const [source = at('../../shared/data/face-3dmm.safetensors'), out = at('../models/sphere-face-model.safetensors')] =
  process.argv.slice(2)

const bytes = await readFile(source)
const gaussian = readModel(bytes)
const sphere = withIbug68Reliability(lift(gaussian, LIFT))
const model = { ...withBasisPrecision(sphere, 'f16'), metadata: metadataOf(sphere) }
await writeModelFile(out, model)
console.error(
  `${out}: ${model.vertexCount} vertices, ${model.identityCount} latents, ${model.expressionCount} expressions`,
)
console.error(JSON.stringify(roundingOf(model, sphere), undefined, 2))

/** A copy whose scheme ibug68 says how far each landmark is to be trusted. */
function withIbug68Reliability(data) {
  const scheme = data.schemes.get('ibug68')
  const reliability = new Float32Array(scheme.count).fill(1)
  reliability.fill(IBUG68_JAW.reliability, IBUG68_JAW.first, IBUG68_JAW.last + 1)
  return { ...data, schemes: new Map(data.schemes).set('ibug68', { ...scheme, reliability }) }
}

function metadataOf({ metadata }) {
  const { method, ...lifting } = JSON.parse(metadata.provenance)
  const provenance = {
    method,
    script: 'scripts/make-default-model.mjs',
    source: {
      name: gaussian.metadata.name,
      file: basename(source),
      sha256: createHash('sha256').update(bytes).digest('hex'),
      provenance: gaussian.metadata.provenance,
    },
    options: { ...LIFT, bases: 'F16', ibug68: { jawReliability: IBUG68_JAW.reliability } },
    lifting: { modes: lifting.modes, radius: lifting.radius, scale: lifting.scale },
  }
  return { ...metadata, name: 'sphere-face-model', version: '1.0.0', provenance: JSON.stringify(provenance) }
}

/**
 * What storing the bases in 16 bits does to vertices, in mm. `identityBound` and `expressionBound` hold for every point
 * of the sphere (the Cauchy-Schwarz inequality over the latents) and every expression within 0..1; the others are what
 * was seen on faces drawn from the prior, within 5 standard deviations, with every expression anywhere in its bounds.
 */
function roundingOf(half, full) {
  const N = full.vertexCount
  const identity = differences(half.identityBasis, full.identityBasis)
  const expression = differences(half.expressionBasis, full.expressionBasis)
  const length = (array, i) => Math.hypot(array[i], array[i + 1], array[i + 2])

  let identityBound = 0
  let expressionBound = 0
  for (let v = 0; v < 3 * N; v += 3) {
    let square = 0
    for (let k = 0; k < full.identityCount; k++) square += length(identity, 3 * N * k + v) ** 2
    identityBound = Math.max(identityBound, Math.sqrt(square))
    let sum = 0
    for (let e = 0; e < full.expressionCount; e++) sum += length(expression, 3 * N * e + v)
    expressionBound = Math.max(expressionBound, sum)
  }

  const faces = 200
  const random = new Random(1)
  const lifting = liftingOf(full.identityCount - 1, LIFT)
  let largest = 0
  let sumOfSquares = 0
  for (let face = 0; face < faces; face++) {
    const error = new Float64Array(3 * N)
    const add = (basis, coefficients) =>
      coefficients.forEach((coefficient, k) => {
        for (let i = 0; i < 3 * N; i++) error[i] += coefficient * basis[3 * N * k + i]
      })
    const g = Float64Array.from({ length: lifting.modes }, () => Math.min(5, Math.max(-5, random.normal())))
    add(identity, liftLatent(g, lifting))
    add(
      expression,
      Float64Array.from({ length: full.expressionCount }, () => random.uniform()),
    )
    for (let v = 0; v < 3 * N; v += 3) {
      const distance = length(error, v)
      largest = Math.max(largest, distance)
      sumOfSquares += distance ** 2
    }
  }
  return { identityBound, expressionBound, faces, largest, rms: Math.sqrt(sumOfSquares / (faces * N)) }
}

function differences(half, full) {
  return asFloat32(half).map((value, i) => value - full[i])
}
