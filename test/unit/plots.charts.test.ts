import { describe, expect, it } from 'vitest'
import { category, oklch, sequential } from '../../lib/plots/colour.js'
import { histogram } from '../../lib/plots/histogram.js'
import { lineChart } from '../../lib/plots/lineChart.js'
import { makeScale, numberLabel } from '../../lib/plots/scale.js'
import { scatterChart } from '../../lib/plots/scatterChart.js'
import { simplify } from '../../lib/plots/simplify.js'
import { sphereView } from '../../lib/plots/sphereView.js'
import { decimal, element, picture, text } from '../../lib/plots/svg.js'
import { normals } from '../fixtures/random.js'
import { attributesOf, checkMarkup } from '../fixtures/svg.js'

const x = { label: 'x' }
const y = { label: 'y' }

describe('markup', () => {
  it('is escaped wherever people write', () => {
    expect(text('a < b & "c" > d')).toBe('a &lt; b &amp; &quot;c&quot; &gt; d')
    expect(text('a\0b\u0007\ud800c\n')).toBe('abc\n')
    expect(element('a', { href: '"><script>' }, text('<b>'))).toBe('<a href="&quot;&gt;&lt;script&gt;">&lt;b&gt;</a>')
    const hostile = '</title><script>alert("&")</script>'
    const svg = lineChart({
      title: hostile,
      description: hostile,
      x: { label: hostile },
      y: { label: hostile },
      series: [0, 1].map(() => ({
        name: hostile,
        points: [
          { x: 0, y: 0 },
          { x: 1, y: 1 },
        ],
      })),
    })
    expect(svg).not.toContain('<script')
    checkMarkup(svg)
  })

  it('writes numbers in few digits, never with an exponent', () => {
    expect([0.1 + 0.2, -0, -0.001, 1e-9, 123456.789, 5, 10, 0.5].map((value) => decimal(value))).toEqual([
      '0.3',
      '0',
      '0',
      '0',
      '123456.79',
      '5',
      '10',
      '0.5',
    ])
  })

  it('has a title and a description for who cannot see it', () => {
    const svg = picture({ width: 10.2, height: 20, title: 'A', description: 'B' }, '<g/>')
    expect(svg).toContain('viewBox="0 0 11 20"')
    expect(svg).toMatch(/role="img".*<title>A<\/title><desc>B<\/desc>\n<g\/><\/svg>\n$/s)
  })
})

describe('colours', () => {
  it('agree with known ones', () => {
    expect(oklch(0, 0, 0)).toBe('#000000')
    expect(oklch(1, 0, 0)).toBe('#ffffff')
    // The corners of sRGB, where Ottosson has them.
    expect(oklch(0.62796, 0.25768, 29.234)).toBe('#ff0000')
    expect(oklch(0.45201, 0.31321, 264.052)).toBe('#0000ff')
    expect(oklch(0.5, 0.4, 200)).toMatch(/^#[0-9a-f]{6}$/)
  })

  it('grow lighter with the number, evenly', () => {
    const lightness = (hex: string) => {
      const [r, g, b] = [1, 3, 5].map((at) => {
        const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255
        return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
      }) as [number, number, number]
      return Math.cbrt(0.2126 * r + 0.7152 * g + 0.0722 * b)
    }
    const steps = Array.from({ length: 21 }, (_, i) => lightness(sequential(i / 20)))
    for (let i = 1; i < 21; i++) expect(steps[i]! - steps[i - 1]!).toBeGreaterThan(0.015)
    expect(sequential(-1)).toBe(sequential(0))
    expect(sequential(7)).toBe(sequential(1))
    expect(lightness(sequential(0.5, 0))).toBeLessThan(lightness(sequential(0.5)))
  })

  it('tell categories apart', () => {
    expect(new Set(Array.from({ length: 24 }, (_, i) => category(i))).size).toBe(24)
  })
})

describe('scales', () => {
  const labels = (scale: ReturnType<typeof makeScale>) => scale.ticks.map(({ label }) => label).filter((label) => label)

  it('end at round numbers', () => {
    const scale = makeScale(x, [0.13, 0.87, Number.NaN, Number.POSITIVE_INFINITY], [0, 100])
    expect([scale.from, scale.to]).toEqual([0.1, 0.9])
    expect(labels(scale)).toEqual(['0.1', '0.2', '0.3', '0.4', '0.5', '0.6', '0.7', '0.8', '0.9'])
    expect(scale.place(0.5)).toBeCloseTo(50, 10)
    expect(labels(makeScale({ ...x, from: 0, to: 2 }, [], [0, 1]))).toEqual(['0.0', '0.5', '1.0', '1.5', '2.0'])
    expect(labels(makeScale({ ...x, from: -10, to: 10 }, [], [0, 1]))).toEqual(['−10', '−5', '0', '5', '10'])
    expect(labels(makeScale({ ...x, percent: true, from: 0, to: 0.04 }, [], [0, 1]))).toContain('3.0%')
  })

  it('know decades', () => {
    const scale = makeScale({ ...x, type: 'log' }, [0.002, 0.7, 0, -3], [100, 0])
    expect([scale.from, scale.to]).toEqual([0.001, 1])
    expect(labels(scale)).toEqual(['0.001', '0.01', '0.1', '1'])
    expect(scale.ticks).toHaveLength(28)
    expect(scale.place(0.1)).toBeCloseTo(100 / 3, 10)
    expect(scale.place(0)).toBeNaN()
    expect(labels(makeScale({ ...x, type: 'log', from: 1, to: 20 }, [], [0, 1]))).toEqual(['1', '2', '5', '10', '20'])
  })

  it('stand with one value or none', () => {
    for (const values of [[], [3], [3, 3], [0], [Number.NaN]]) {
      for (const type of ['linear', 'log'] as const) {
        const scale = makeScale({ ...x, type }, values, [0, 1])
        expect(scale.to).toBeGreaterThan(scale.from)
        expect(scale.place((scale.from + scale.to) / 2)).toBeGreaterThan(0)
      }
    }
  })

  it('take the ticks they are given', () => {
    expect(labels(makeScale({ ...x, ticks: [16, 64, 100] }, [10, 110], [0, 1]))).toEqual(['16', '64', '100'])
  })

  it('write very small and very large numbers as powers', () => {
    expect([1e-5, 2.5e7, -3e-6, 1e6, 0.0001, 123456].map((value) => numberLabel(value))).toEqual([
      '10⁻⁵',
      '2.5·10⁷',
      '−3·10⁻⁶',
      '10⁶',
      '0.0001',
      '123456',
    ])
  })
})

describe('simplify', () => {
  it('leaves out what nobody sees, and nothing else', () => {
    expect(
      simplify([
        [0, 0],
        [1, 0],
        [2, 0.01],
        [3, 0],
        [3, 5],
      ]),
    ).toEqual([
      [0, 0],
      [3, 0],
      [3, 5],
    ])
    expect(simplify([[1, 1]])).toEqual([[1, 1]])
    expect(simplify([])).toEqual([])
    const curve = Array.from({ length: 5000 }, (_, i) => [i / 10, 80 * Math.sin(i / 300)] as const)
    const few = simplify(curve)
    expect(few.length).toBeLessThan(200)
    for (const [at, height] of curve) {
      const right = few.findIndex(([place]) => place >= at)
      const [[ax, ay], [bx, by]] = [few[Math.max(0, right - 1)]!, few[right]!]
      const between = bx > ax ? ay + ((by - ay) * (at - ax)) / (bx - ax) : ay
      expect(Math.abs(between - height)).toBeLessThan(0.4)
    }
  })
})

describe('lineChart', () => {
  const points = Array.from({ length: 11 }, (_, i) => ({ x: i, y: i * i, low: i * i - 5, high: i * i + 5 }))

  it('puts points where the axes say', () => {
    const svg = lineChart({
      title: 't',
      x,
      y,
      series: [
        {
          name: 'a',
          points: [
            { x: 0, y: 0 },
            { x: 10, y: 100 },
          ],
        },
      ],
    })
    checkMarkup(svg)
    const [line] = attributesOf(svg, 'path').filter(({ 'stroke-width': width }) => width === '2.2')
    const clip = attributesOf(svg, 'svg')[1]!
    const [left, top] = [Number(clip.x), Number(clip.y)]
    const [right, bottom] = [left + Number(clip.width), top + Number(clip.height)]
    expect(line?.d).toBe(`M${left},${bottom}L${right},${top}`)
  })

  it('draws bands, references, markers and a legend', () => {
    const series = [
      { name: 'one', points, markers: true },
      { name: 'two', points: points.map(({ x: at, y: value }) => ({ x: at, y: value / 2 })) },
      {
        name: 'chance',
        points: [
          { x: 0, y: 0 },
          { x: 10, y: 10 },
        ],
        reference: true,
      },
    ]
    const svg = lineChart({ title: 't', x, y, series })
    checkMarkup(svg)
    expect(svg).toBe(lineChart({ title: 't', x, y, series }))
    for (const { name } of series) expect(svg).toContain(`>${name}</text>`)
    expect(attributesOf(svg, 'path').filter((path) => path['fill-opacity'] === '0.16')).toHaveLength(1)
    // Eleven on the line, one in the legend.
    expect(attributesOf(svg, 'circle')).toHaveLength(12)
    expect(lineChart({ title: 't', x, y, series: series.slice(0, 1) })).not.toContain('>one</text>')
  })

  it('keeps the legend off the lines', () => {
    const legendAt = (svg: string) => {
      const [, px, py] = /<g font-size="12"><g transform="translate\(([\d.]+) ([\d.]+)\)">/.exec(svg)!
      return { px: Number(px), py: Number(py), width: Number(attributesOf(svg, 'svg')[0]?.width) }
    }
    const line = (name: string, of: (t: number) => number) => ({
      name,
      points: Array.from({ length: 50 }, (_, i) => ({ x: i / 49, y: of(i / 49) })),
    })
    const rising = legendAt(lineChart({ title: 't', x, y, series: [line('a', (t) => t), line('b', (t) => t * t)] }))
    expect(rising.px).toBeLessThan(200)
    expect(rising.py).toBeLessThan(100)
    const falling = legendAt(
      lineChart({ title: 't', x, y, series: [line('a', (t) => 1 - t), line('b', (t) => (1 - t) ** 2)] }),
    )
    expect(falling.px).toBeGreaterThan(300)
    expect(falling.py).toBeLessThan(100)
    const everywhere = [line('a', (t) => 0.5 + 0.5 * Math.sin(40 * t)), line('b', (t) => 0.5 - 0.5 * Math.sin(40 * t))]
    expect(legendAt(lineChart({ title: 't', x, y, series: everywhere })).width).toBeGreaterThan(540)
  })

  it('interrupts a line where there is no number', () => {
    const svg = lineChart({
      title: 't',
      x,
      y,
      series: [{ name: 'a', points: [0, 1, Number.NaN, 3, 4].map((value, i) => ({ x: i, y: value })) }],
    })
    const [line] = attributesOf(svg, 'path').filter(({ 'stroke-width': width }) => width === '2.2')
    expect(line?.d?.match(/M/g)).toHaveLength(2)
    expect(svg).not.toContain('NaN')
    checkMarkup(lineChart({ title: 't', x, y, series: [] }))
    checkMarkup(lineChart({ title: 't', x, y, series: [{ name: 'a', points: [] }] }))
  })
})

describe('histogram', () => {
  it('shows the share of each series in a bin', () => {
    const svg = histogram({
      title: 't',
      x: { label: 'v', from: 0, to: 4 },
      y: { label: 's', from: 0, to: 1 },
      bins: 4,
      series: [
        { name: 'a', values: [0.5, 1.5, 1.5, 1.5] },
        { name: 'b', values: [3.5, 3.9, 4, 4] },
      ],
      lines: [{ at: 2, label: 'half' }],
    })
    checkMarkup(svg)
    const clip = attributesOf(svg, 'svg')[1]!
    const [top, height] = [Number(clip.y), Number(clip.height)]
    const heights = attributesOf(svg, 'path')
      .filter((path) => path['fill-opacity'] === '0.3')
      .map(({ d = '' }) => d.match(/,[\d.]+/g)!.map((at) => (top + height - Number(at.slice(1))) / height))
    const expected = [
      [0, 0.25, 0.25, 0.75, 0.75, 0, 0, 0, 0, 0],
      [0, 0, 0, 0, 0, 0, 0, 1, 1, 0],
    ]
    for (const [i, shares] of expected.entries())
      for (const [j, share] of shares.entries()) expect(heights[i]![j]).toBeCloseTo(share, 2)
    expect(svg).toContain('>half</text>')
  })

  it('does not let a few far out squeeze the rest', () => {
    const normal = normals(1)
    const values = [...Array.from({ length: 5000 }, normal), 1e6, Number.NEGATIVE_INFINITY]
    const svg = histogram({ title: 't', x, series: [{ name: 'a', values }] })
    checkMarkup(svg)
    expect(svg).toContain('>−3</text>')
    checkMarkup(histogram({ title: 't', x, series: [{ name: 'a', values: [] }] }))
  })
})

describe('maps', () => {
  const normal = normals(3)
  const points = Array.from({ length: 90 }, (_, i) => ({ group: i % 30, x: 3 * normal(), y: normal() }))

  it('have the same unit on both axes where they should', () => {
    const svg = scatterChart({
      title: 't',
      x: { label: 'x', from: 0, to: 10 },
      y: { label: 'y', from: 0, to: 10 },
      equal: true,
      points: [
        { x: 0, y: 0, group: 0 },
        { x: 10, y: 10, group: 0 },
      ],
    })
    const [a, b] = attributesOf(svg, 'circle').map(({ cx, cy }) => [Number(cx), Number(cy)]) as [number[], number[]]
    expect(b[0]! - a[0]!).toBeCloseTo(a[1]! - b[1]!, 1)
    expect(b[0]! - a[0]!).toBeGreaterThan(250)
  })

  it('colour and shape points by group', () => {
    const svg = scatterChart({ title: 't', x, y, points, spokes: true, names: ['first', 'second'] })
    checkMarkup(svg)
    expect(attributesOf(svg, 'rect')).toHaveLength(24)
    expect(svg).toContain('>second</text>')
    expect(svg).toBe(scatterChart({ title: 't', x, y, points, spokes: true, names: ['first', 'second'] }))
  })

  it('show a sphere with its far side faint', () => {
    const svg = sphereView({
      title: 't',
      points: [
        { direction: [0, 0, 5], group: 0 },
        { direction: [0, 0, -1], group: 0 },
        { direction: [0, 0, 0], group: 0 },
      ],
    })
    checkMarkup(svg)
    const [, far, near] = attributesOf(svg, 'circle')
    expect(near?.['fill-opacity']).toBe('0.9')
    expect(far?.['fill-opacity']).toBe('0.22')
    // Opposite each other about the middle.
    expect(Number(near?.cx) + Number(far?.cx)).toBeCloseTo(380, 1)
    expect(Number(near?.cy) + Number(far?.cy)).toBeCloseTo(380, 1)
    expect(attributesOf(svg, 'circle')).toHaveLength(3)
  })
})
