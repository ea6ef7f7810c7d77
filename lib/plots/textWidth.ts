/** Widths of characters in the common sans-serif faces, in parts of the font's size. */
const WIDTHS: readonly (readonly [characters: RegExp, width: number])[] = [
  [/[ijl.,:;|'!]/, 0.26],
  [/[frtI()[\]/ -]/, 0.34],
  [/[mwMW@%]/, 0.86],
  [/[A-Z&]/, 0.69],
  [/[\x20-\x7e]/, 0.56],
  [/[\u2070-\u209f\u00b2\u00b3\u00b9]/, 0.36],
  [/[\u1100-\uffff]/, 1],
]

/** About how wide a text is, in pixels: nobody knows before it is drawn. */
export function textWidth(value: string, size: number): number {
  let width = 0
  for (const character of value) width += WIDTHS.find(([characters]) => characters.test(character))?.[1] ?? 0.6
  return width * size
}
