/** Markup for pictures: strings, the same for the same input, that any reader of SVG 1.1 shows. */

/** What an element is given; undefined values are left out, numbers rounded to hundredths. */
export type Attributes = Readonly<Record<string, string | number | undefined>>

/** Colour of text and axes: readable on white and on black alike. */
export const INK = '#777'

/**
 * An element.
 *
 * @param content Markup; put what people wrote through {@link text}.
 * @example
 * element('text', { x: 3, y: 4 }, text('a < b'))   // <text x="3" y="4">a &lt; b</text>
 */
export function element(name: string, attributes: Attributes, ...content: readonly string[]): string {
  let start = `<${name}`
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined) start += ` ${key}="${typeof value === 'number' ? decimal(value) : text(value)}"`
  }
  return content.length === 0 ? `${start}/>` : `${start}>${content.join('')}</${name}>`
}

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

/** Text as markup: escaped, without the characters that XML forbids. */
export function text(value: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what has to go
  const printable = value.replace(/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\p{Surrogate}]/gu, '')
  return printable.replace(/[&<>"]/g, (character) => ESCAPES[character] as string)
}

/** A number in as few digits as it needs, at most `places` behind the point, never an exponent, never -0. */
export function decimal(value: number, places = 2): string {
  const fixed = value.toFixed(places)
  const short = fixed.includes('.') ? fixed.replace(/\.?0+$/, '') : fixed
  return short === '-0' ? '0' : short
}

/** A path through points: `M10,5L11,6.5` and so on. */
export function polyline(points: readonly (readonly [number, number])[], closed = false): string {
  const path = points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${decimal(x, 1)},${decimal(y, 1)}`).join('')
  return closed ? `${path}Z` : path
}

/** A picture as a whole. */
export interface PictureOptions {
  width: number
  height: number
  /** What a screen reader says, and a browser shows on hovering. */
  title: string
  /** What there is to see, for who cannot. */
  description?: string | undefined
}

/** A whole picture: transparent, scalable, with a title for those who cannot see it. */
export function picture({ width, height, title, description }: PictureOptions, ...content: readonly string[]): string {
  return `${element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      width: Math.ceil(width),
      height: Math.ceil(height),
      viewBox: `0 0 ${Math.ceil(width)} ${Math.ceil(height)}`,
      role: 'img',
      'font-family': 'Helvetica, Arial, sans-serif',
      'font-size': 12,
      fill: INK,
    },
    element('title', {}, text(title)),
    ...(description === undefined ? [] : [element('desc', {}, text(description))]),
    ...content.map((part) => `\n${part}`),
  )}\n`
}
