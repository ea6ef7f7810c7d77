/**
 * Tables of the ziggurat for the normal density f(x) = exp(-x^2 / 2), x >= 0 (Marsaglia and Tsang 2000): its area cut
 * into layers of equal size, each but the lowest a box as wide as the curve is at the box's lower side. The lowest is a
 * box up to TAIL and everything beyond it.
 */

/** The lowest eight of 32 random bits choose a layer, the others, as a signed number, the place in it. */
export const LAYERS = 256

/** Where the lowest box ends and the tail begins. */
export const TAIL = 3.6541528853610088

/** Places on either side of 0. */
const PLACES = 2 ** 23

const density = (x: number) => Math.exp(-0.5 * x * x)

/** Of every layer; it fits TAIL, so that the uppermost ends at f(0) = 1. */
const AREA = 4.92867323399e-3

/** Right ends of the layers, from the lowest, which is as wide as a box of its area would be, to 0 above the last. */
const EDGES = edges()

/** What one place in a layer is worth. */
export const WIDTHS = Float64Array.from({ length: LAYERS }, (_, i) => EDGES[i]! / PLACES)

/** Places that lie within the layer above too, so that they are below the curve for sure. */
export const FAST_BELOW = Float64Array.from({ length: LAYERS }, (_, i) =>
  Math.floor((EDGES[i + 1]! / EDGES[i]!) * PLACES),
)

/** f at the lower side of each layer, and 1 above the last. */
export const HEIGHTS = Float64Array.from({ length: LAYERS + 1 }, (_, i) => (i === 0 ? 0 : density(EDGES[i]!)))

function edges(): Float64Array {
  const x = new Float64Array(LAYERS + 1)
  x[0] = AREA / density(TAIL)
  x[1] = TAIL
  for (let i = 2; i < LAYERS; i++) x[i] = Math.sqrt(-2 * Math.log(AREA / x[i - 1]! + density(x[i - 1]!)))
  return x
}
