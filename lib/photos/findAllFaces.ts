import type { Picture } from '../render/Picture.js'
import { type Box, boxAround, overlap } from './Box.js'
import { boxOf, type FaceCandidate, findFaces, SAME_FACE } from './findFaces.js'
import { locateLandmarks, tiltOf } from './locateLandmarks.js'
import type { Networks } from './Networks.js'
import { type HalvedPicture, Pyramid } from './Pyramid.js'
import { type Square, squareAround } from './Square.js'

/** A face in a picture. */
export interface FoundFace {
  /** [478] x and y of the scheme `mediapipe478`, pixels. */
  points: Array<[number, number]>
  /** Around all landmarks. */
  box: Box
  /** 0..1: how sure the detector is. */
  score: number
}

/** As parts of the side of what is searched: faces of this size are found for certain, ... */
const CERTAIN = 1 / 12
/** ... and those below this hardly ever. */
const VISIBLE = 1 / 32

/** Below this many pixels a face has too few details for its landmarks. */
const LEAST_SIZE = 16

/** A detector's score from which on nothing but faces was seen to be found. */
const DOUBTLESS = 0.8

/** A closer look is at a square of this many times the face's size, and takes it for a face from this score on. */
const CLOSE_MARGIN = 3
const LEAST_CLOSE_SCORE = 0.6

/** Faces that lie on their sides, or stand on their heads. */
const TURNS = [Math.PI / 2, -Math.PI / 2, Math.PI]

/**
 * Finds all faces of a picture, with their landmarks.
 *
 * The picture is looked at as a whole. Where a face is small there, or none is found, it is looked at again in parts of
 * half its size; where there is none even then, turned by right angles.
 *
 * @param pixels The picture, whose alpha does not count, or a smaller copy of it; it is not written to.
 * @returns The largest first, in pixels of the picture.
 * @throws TooCoarse where a copy has too few pixels for the faces that there are, or may be.
 */
export function findAllFaces(networks: Networks, pixels: Picture | HalvedPicture): FoundFace[] {
  const picture = new Pyramid(pixels)
  const { width, height } = picture
  const side = Math.max(width, height)
  const whole: Square = { x: width / 2, y: height / 2, side, angle: 0 }
  const faces: FoundFace[] = []
  const look = (parts: readonly Square[]): void => {
    for (const part of parts)
      for (const candidate of findFaces(networks, picture, part)) addFace(faces, candidate, networks, picture)
  }

  look([whole])
  const isSmall = ({ box }: FoundFace) => sizeOf(box) < CERTAIN * side
  if ((faces.length === 0 || faces.some(isSmall)) && VISIBLE * side > LEAST_SIZE) look(partsOf(width, height))
  if (faces.length === 0) look(TURNS.map((angle) => ({ ...whole, angle })))
  return faces.filter(({ box }) => sizeOf(box) >= LEAST_SIZE).sort((a, b) => sizeOf(b.box) - sizeOf(a.box))
}

/** Adds a face unless it is none, or already there: then the surer of the two scores counts. */
function addFace(faces: FoundFace[], candidate: FaceCandidate, networks: Networks, picture: Pyramid): void {
  const isKnown = (box: Box) => {
    const known = faces.find((face) => overlap(face.box, box) >= SAME_FACE)
    if (known !== undefined) known.score = Math.max(known.score, candidate.score)
    return known !== undefined
  }
  if (isKnown(boxOf(candidate.square))) return
  const face = locateFace(networks, picture, candidate)
  if (face !== undefined && !isKnown(face.box)) faces.push(face)
}

/**
 * The landmarks of a face that the detector may have seen. A doubtful one is looked at again, closely, upright and upside
 * down: faces gain by that, patterns in the leaves lose by it, and a face on its head is seen to be one.
 */
function locateFace(networks: Networks, picture: Pyramid, { square, score }: FaceCandidate): FoundFace | undefined {
  const located = locateLandmarks(networks, picture, square)
  if (located === undefined) return undefined
  const { points } = located
  const box = boxAround(points)
  if (score >= DOUBTLESS) return { points, box, score }
  const around = squareAround(points, tiltOf(points), CLOSE_MARGIN)
  const [closer] = [around, { ...around, angle: around.angle + Math.PI }]
    .flatMap((part) => findFaces(networks, picture, part))
    .filter((found) => overlap(boxOf(found.square), box) >= SAME_FACE)
    .sort((a, b) => b.score - a.score)
  if (closer === undefined || closer.score < LEAST_CLOSE_SCORE) return undefined
  const again = locateLandmarks(networks, picture, closer.square)
  return again && { points: again.points, box: boxAround(again.points), score: closer.score }
}

/** A face's size in pixels: the longer side of its box. */
export function sizeOf([, , width, height]: Box): number {
  return Math.max(width, height)
}

/**
 * Squares of half the longer side that lie half over each other, so that a face too small to be found in the whole is
 * never cut in all of them.
 */
function partsOf(width: number, height: number): Square[] {
  const side = Math.max(width, height) / 2
  const centres = (length: number) => {
    if (length <= side) return [length / 2]
    const steps = Math.ceil((length - side) / (side / 2))
    return Array.from({ length: steps + 1 }, (_, i) => side / 2 + ((length - side) * i) / steps)
  }
  return centres(height).flatMap((y) => centres(width).map((x) => ({ x, y, side, angle: 0 })))
}
