// Joint fits of one person's images: how long they take, how near they come, and whom they leave out. The figures of
// docs/joint.md are from here:
//
//     node bench/joint.mjs [--time] [PHOTOS.jsonl]
//
// --time: the times alone. PHOTOS.jsonl: labelled landmarks of real photos, of people and their strangers.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { transformed } from '../dist/alignment.js'
import { syntheticObservation } from '../dist/cli/syntheticObservation.js'
import { alignPoints } from '../dist/evaluate/alignment.js'
import { RankedScores } from '../dist/evaluate/RankedScores.js'
import { areaUnder, rocCurve } from '../dist/evaluate/roc.js'
import { configureCpu, devices, SphereFaceModel } from '../dist/index.js'
import { Random } from '../dist/random.js'
import { race } from './measure.mjs'

const SCHEMES = ['ibug68', 'mediapipe478']
const NOISE = 1 // pixels, at about 400 pixels of face

/** Photos of a person: expressions of the prior, all sorts of views. */
export function photosOf(model, identity, count, scheme, seed, { noiseKnown = true } = {}) {
  const random = new Random(seed)
  const between = (limit) => (2 * random.uniform() - 1) * limit
  const expressions = model.sample({ count, seed: seed + 1, expressionScale: 1 })
  const faces = expressions.map(({ expression }) => ({ identity, expression }))
  const landmarks = model.decodeSync(faces, { scheme })
  const size = landmarks.length / count
  return faces.map((_, i) => {
    const observation = syntheticObservation(
      landmarks.subarray(i * size, (i + 1) * size),
      model.data.schemes.get(scheme),
      {
        yaw: between(40),
        pitch: between(15),
        roll: between(10),
        distance: 700 + between(100),
        camera: { type: 'perspective', focal: 1400, principal: [640, 360] },
      },
    )
    const points = observation.points.map((point) => point?.map((value) => value + NOISE * random.normal()) ?? null)
    return { ...observation, points, ...(noiseKnown && { noise: NOISE }) }
  })
}

const identities = (model, count, seed) => model.sample({ count, seed }).map(({ identity }) => identity)

/** Root mean square distance of all vertices of the neutral face, mm: after a rigid motion, and up to size. */
async function errorsOf(model, found, identity) {
  const [from, to] = await Promise.all([model.decode({ identity: found }), model.decode({ identity })])
  return [false, true].map((scale) => {
    const moved = transformed(from, alignPoints(from, to, { scale }))
    let squares = 0
    for (const [i, value] of moved.entries()) squares += (value - to[i]) ** 2
    return Math.sqrt(squares / (to.length / 3))
  })
}

const meanOf = (rows) => rows[0].map((_, c) => rows.reduce((sum, row) => sum + row[c] / rows.length, 0))

/** Milliseconds of joint fits on one thread, beside single fits of the same images. */
export async function benchJointTime(model) {
  const { threads } = devices()[0]
  configureCpu({ threads: 1 })
  const fitter = await model.createFitter()
  const [identity, ...others] = identities(model, 21, 9)
  const rows = []
  for (const scheme of SCHEMES) {
    const all = photosOf(model, identity, 100, scheme, 9)
    const strangers = others.flatMap((other, i) => photosOf(model, other, 1, scheme, 100 + i))
    for (const [images, observations] of [
      ['5', all.slice(0, 5)],
      ['100', all],
      ['100, 20 of others', [...all.slice(0, 80), ...strangers]],
    ]) {
      const { iterations } = await fitter.fitJoint(observations)
      const times = await race({ joint: () => fitter.fitJoint(observations), single: () => fitter.fit(observations) })
      rows.push({ scheme, images, passes: iterations, times })
    }
  }
  configureCpu({ threads })
  return rows
}

/** Errors of single fits and of joint ones. */
async function benchAccuracy(model, people, images) {
  const fitter = await model.createFitter()
  const rows = []
  for (const scheme of SCHEMES)
    for (const noiseKnown of [true, false]) {
      const [single, joint, passes] = [[], [], []]
      for (const [person, identity] of identities(model, people, 5).entries()) {
        const observations = photosOf(model, identity, images, scheme, 1000 + person, { noiseKnown })
        for (const result of (await fitter.fit(observations)).slice(0, 5))
          single.push(await errorsOf(model, result.identity, identity))
        const together = await fitter.fitJoint(observations)
        joint.push(await errorsOf(model, together.identity, identity))
        passes.push([together.iterations])
      }
      rows.push({ scheme, noiseKnown, single: meanOf(single), joint: meanOf(joint), passes: meanOf(passes)[0] })
    }
  return rows
}

/** How many strangers among a person's images are found, and how many of the person's own are flagged. */
class Flags {
  found = 0
  strangers = 0
  wrong = 0
  own = 0
  #weights = []
  #isOwn = []

  /** `result` is of the person's own images, `own` of them, and strangers' behind. */
  add({ outlier_images: outliers, images, image_weights }, own) {
    this.own += own
    this.strangers += images.length - own
    this.found += outliers.filter((i) => i >= own).length
    this.wrong += outliers.filter((i) => i < own).length
    this.#weights.push(...image_weights)
    this.#isOwn.push(...images.map((_, i) => i < own))
  }

  toString() {
    const area = areaUnder(rocCurve(new RankedScores(this.#weights, this.#isOwn).runs()))
    return `${this.found} of ${this.strangers} found, ${this.wrong} of ${this.own} flagged wrongly, AUC ${area.toFixed(3)}`
  }
}

/** 20 strangers among 100 images, three times over. */
async function benchStrangers(model) {
  const fitter = await model.createFitter()
  const rows = []
  for (const scheme of SCHEMES)
    for (const noiseKnown of [true, false]) {
      const flags = new Flags()
      for (let set = 0; set < 3; set++) {
        const [own, ...others] = identities(model, 21, 50 + set)
        const photos = photosOf(model, own, 80, scheme, 10 * set, { noiseKnown })
        const strangers = others.flatMap((other, i) => photosOf(model, other, 1, scheme, 100 * set + i, { noiseKnown }))
        flags.add(await fitter.fitJoint([...photos, ...strangers]), 80)
      }
      rows.push({ scheme, noiseKnown, flags })
    }
  return rows
}

/** Real people's photos, eight of each, and two of others from the same collection. */
async function benchRealStrangers(model, file) {
  const fitter = await model.createFitter()
  const people = new Map()
  for (const line of readFileSync(file, 'utf8').trim().split('\n')) {
    const observation = JSON.parse(line)
    const name = `${observation.collection}/${observation.subject}`
    people.set(name, [...(people.get(name) ?? []), observation])
  }
  const many = [...people.values()].filter((photos) => photos.length >= 8)
  const flags = new Flags()
  for (const [i, own] of many.entries()) {
    const others = many.filter((photos) => photos !== own && photos[0].collection === own[0].collection)
    if (others.length === 0) continue
    const strangers = [others[i % others.length][0], others[(i + 1) % others.length][1]]
    flags.add(await fitter.fitJoint([...own.slice(0, 8), ...strangers]), 8)
  }
  return flags
}

const one = (value) => value.toFixed(1)
const noiseOf = ({ noiseKnown }) => (noiseKnown ? 'noise: 1' : 'noise not said')

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const files = process.argv.slice(2).filter((argument) => !argument.startsWith('-'))
  const model = await SphereFaceModel.load()
  for (const { scheme, images, passes, times } of await benchJointTime(model)) {
    const [joint, single] = [times.joint, times.single].map(({ min, cpu }) => `${one(min)} ms (processor ${one(cpu)})`)
    console.log(`${scheme}, ${images} images: joint ${joint} in ${passes} passes, single fits ${single}`)
  }
  if (!process.argv.includes('--time')) {
    for (const images of [5, 100])
      for (const row of await benchAccuracy(model, images === 5 ? 24 : 6, images)) {
        const [single, joint] = [row.single, row.joint].map(
          ([size, shape]) => `${size.toFixed(2)} mm (${shape.toFixed(2)})`,
        )
        const ratios = row.joint.map((error, i) => `${(100 * (error / row.single[i])).toFixed(0)}%`)
        console.log(
          `${row.scheme}, ${noiseOf(row)}: one image ${single}, ${images} ${joint}: ${ratios[0]} (${ratios[1]}), ${one(row.passes)} passes`,
        )
      }
    for (const row of await benchStrangers(model))
      console.log(`${row.scheme}, ${noiseOf(row)}, strangers: ${row.flags}`)
  }
  for (const file of files) console.log(`real photos, strangers: ${await benchRealStrangers(model, file)}`)
}
