/**
 * Colours by lightness, chroma and hue as the eye sees them: Ottosson's Oklab (2020), whose equal steps look equally
 * large. Its matrices are those of his definition.
 */

/**
 * A colour as `#rrggbb`. Where a screen cannot show it the chroma is reduced, never the lightness or the hue.
 *
 * @param lightness 0 black to 1 white.
 * @param chroma 0 grey to about 0.3.
 * @param hue Degrees: 29 red, 110 yellow, 142 green, 195 cyan, 264 blue, 328 magenta.
 */
export function oklch(lightness: number, chroma: number, hue: number): string {
  let [low, high] = [0, chroma]
  let channels = linearChannels(lightness, chroma, hue)
  if (!inGamut(channels)) {
    for (let step = 0; step < 20; step++) {
      const middle = (low + high) / 2
      if (inGamut(linearChannels(lightness, middle, hue))) low = middle
      else high = middle
    }
    channels = linearChannels(lightness, low, hue)
  }
  return `#${channels
    .map((value) =>
      Math.round(255 * gamma(value))
        .toString(16)
        .padStart(2, '0'),
    )
    .join('')}`
}

/** Hues of categories in an order that keeps neighbours apart, with lightnesses that do so for the colour-blind. */
const CATEGORIES: readonly (readonly [lightness: number, hue: number])[] = [
  [0.6, 255],
  [0.7, 55],
  [0.64, 155],
  [0.6, 350],
  [0.74, 205],
  [0.56, 300],
  [0.76, 95],
  [0.58, 25],
]

/** The colour of the i-th of some series: visible on white and on black. Beyond eight they go round in the hues between. */
export function category(i: number): string {
  const [lightness, hue] = CATEGORIES[i % CATEGORIES.length] as readonly [number, number]
  const round = Math.floor(i / CATEGORIES.length)
  return oklch(lightness, 0.16, (hue + round * GOLDEN_ANGLE) % 360)
}

const GOLDEN_ANGLE = 137.508

/**
 * A colour for a number of 0 to 1, from dark violet over blue and green to light yellow: lightness is linear in it, so
 * that it reads the same in grey and to the colour-blind.
 *
 * @param shade 0 to 1: how much light falls on the surface; 1 where colours must be exact.
 */
export function sequential(value: number, shade = 1): string {
  const t = Math.min(1, Math.max(0, value))
  const lightness = 0.3 + 0.61 * t
  // Slowly through the blues, then faster towards yellow.
  const hue = 305 - 200 * t ** 1.15
  return oklch(lightness * (0.6 + 0.4 * shade), 0.155 - 0.03 * Math.sin(Math.PI * t), hue)
}

/** Red, green and blue light; out of 0 to 1 where no screen shows the colour. */
function linearChannels(lightness: number, chroma: number, hue: number): [number, number, number] {
  const a = chroma * Math.cos((hue * Math.PI) / 180)
  const b = chroma * Math.sin((hue * Math.PI) / 180)
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ]
}

function inGamut(channels: readonly number[]): boolean {
  return channels.every((value) => value >= -1e-6 && value <= 1 + 1e-6)
}

/** The transfer function of sRGB. */
function gamma(value: number): number {
  const x = Math.min(1, Math.max(0, value))
  return x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055
}
