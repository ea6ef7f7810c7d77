import { type Box, withoutDoubles } from './Box.js'
import { ANCHORS, BOX_NUMBERS, INPUT, type Networks } from './Networks.js'
import type { Pyramid } from './Pyramid.js'
import { pointOfSquare, type Square } from './Square.js'

/** Where the detector sees a face. */
export interface FaceCandidate {
  /** Around the face, from the brows to the chin, turned with it. */
  square: Square
  /** 0..1: how sure the detector is. */
  score: number
}

/** Centres of BlazeFace's anchors, as parts of its input's side, in the order of its outputs. */
const CENTRES = anchorCentres()

/**
 * A candidate is looked at more closely anyway, so it need not be certain: faces of three in a hundred of the picture's
 * side have such scores.
 */
const LEAST_SCORE = 0.4

/** Overlap from which on two boxes are of one face; neighbours cheek to cheek share less. */
export const SAME_FACE = 0.3

/**
 * Finds faces in a square part of a picture, best first: those whose heads are upright in it, or tilted by less than 45
 * degrees, and whose size is at least some three in a hundred of its side.
 *
 * @param part Turned as the faces are that are looked for.
 */
export function findFaces(networks: Pick<Networks, 'faces'>, picture: Pyramid, part: Square): FaceCandidate[] {
  const { logits, boxes } = networks.faces(
    picture.sample(part, { size: INPUT.faces, range: [-1, 1], outside: 'black' }),
  )
  const candidates: FaceCandidate[] = []
  for (let anchor = 0; anchor < ANCHORS; anchor++) {
    const score = 1 / (1 + Math.exp(-(logits[anchor] as number)))
    if (score < LEAST_SCORE) continue
    const [centreX, centreY] = CENTRES[anchor] as [number, number]
    const numbers = boxes.subarray(anchor * BOX_NUMBERS, (anchor + 1) * BOX_NUMBERS)
    const point = (i: number): [number, number] =>
      pointOfSquare(
        part,
        (numbers[2 * i] as number) / INPUT.faces + centreX - 0.5,
        (numbers[2 * i + 1] as number) / INPUT.faces + centreY - 0.5,
      )
    const [x, y] = point(0)
    const side = (Math.max(numbers[2] as number, numbers[3] as number) / INPUT.faces) * part.side
    // Numbers 4 to 7 are the eyes, the subject's right one first: they say how the head is tilted.
    const [right, left] = [point(2), point(3)]
    const angle = Math.atan2(left[1] - right[1], left[0] - right[0])
    candidates.push({ square: { x, y, side, angle }, score })
  }
  candidates.sort((a, b) => b.score - a.score)
  return withoutDoubles(candidates, ({ square }) => boxOf(square), SAME_FACE)
}

/** A square as if it were not turned: good enough to tell faces apart. */
export function boxOf({ x, y, side }: Square): Box {
  return [x - side / 2, y - side / 2, side, side]
}

function anchorCentres(): Array<[number, number]> {
  const centres: Array<[number, number]> = []
  for (const { cells, sizes } of [
    { cells: 16, sizes: 2 },
    { cells: 8, sizes: 6 },
  ])
    for (let row = 0; row < cells; row++)
      for (let column = 0; column < cells; column++)
        for (let size = 0; size < sizes; size++) centres.push([(column + 0.5) / cells, (row + 0.5) / cells])
  return centres
}
