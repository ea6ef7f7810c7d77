import { describe, expect, it } from 'vitest'
import { SfmError } from '../../lib/errors.js'
import { parseEmbedding } from '../../lib/inputs/parseEmbedding.js'
import { parseLatents } from '../../lib/inputs/parseLatents.js'
import { parseObservation } from '../../lib/inputs/parseObservation.js'
import { parsePts } from '../../lib/inputs/parsePts.js'

/** The message of the INVALID_INPUT error that a call throws. */
function complaint(call: () => unknown): string {
  try {
    call()
  } catch (error) {
    expect(error).toBeInstanceOf(SfmError)
    expect((error as SfmError).code).toBe('INVALID_INPUT')
    return (error as SfmError).message
  }
  throw new Error('nothing was thrown')
}

describe('parseObservation', () => {
  const points = [[1, 2], null, [3.5, -4]]

  it('takes every field of the contract and leaves the others out', () => {
    const full = {
      id: 'a1',
      subject: 'alice',
      image: { width: 1280, height: 720 },
      scheme: 'ibug68',
      points,
      confidence: [1, 0, 0.5],
      noise: 1.5,
      camera: { type: 'perspective', focal: 1400, principal: [640, 360] },
    }
    expect(parseObservation({ ...full, collection: 'c0' })).toEqual(full)
  })

  it('needs no more than a scheme and points, and takes null for what is optional as absent', () => {
    const least = { scheme: 'mediapipe478', points }
    const nulls = { id: null, subject: null, image: null, confidence: null, camera: null }
    expect(parseObservation({ ...least, ...nulls })).toEqual(least)
    expect(parseObservation({ ...least, camera: { type: null, focal: null, principal: null } })).toEqual({
      ...least,
      camera: {},
    })
  })

  it('takes points in millimetres', () => {
    const solid = { scheme: 'ibug68', points: [null, [1, 2, 3], [4, 5, 6]] }
    expect(parseObservation(solid)).toEqual(solid)
  })

  it.each<[string, unknown, string]>([
    ['an array', [], 'expected an object with "scheme" and "points", received an array of 0'],
    ['null', null, 'expected an object with "scheme" and "points", received null'],
    ['no scheme', { points }, 'scheme: expected the name of a landmark scheme, such as "ibug68", received undefined'],
    ['no points', { scheme: 's' }, 'points: expected an array with one point a landmark, received undefined'],
    [
      'empty points',
      { scheme: 's', points: [] },
      'points: expected an array with one point a landmark, received an array of 0',
    ],
    ['a word', { scheme: 's', points: [[1, 2], 'abc'] }, 'points[1]: expected [x, y] or null, received "abc"'],
    ['one number', { scheme: 's', points: [[1]] }, 'points[0]: expected [x, y] or null, received an array of 1'],
    [
      'mixed',
      {
        scheme: 's',
        points: [
          [1, 2],
          [1, 2, 3],
        ],
      },
      'points[1]: expected [x, y] or null, received an array of 3',
    ],
    [
      'mixed 3D',
      { scheme: 's', points: [null, [1, 2, 3], [1, 2]] },
      'points[2]: expected [x, y, z] or null, received an array of 2',
    ],
    ['a word in a point', { scheme: 's', points: [[1, '2']] }, 'points[0][1]: expected a finite number, received "2"'],
    [
      'infinite',
      { scheme: 's', points: [[1, Number.POSITIVE_INFINITY]] },
      'points[0][1]: expected a finite number, received Infinity',
    ],
    ['an id', { scheme: 's', points, id: 7 }, 'id: expected a string that is not empty, received 7'],
    ['a subject', { scheme: 's', points, subject: '' }, 'subject: expected a string that is not empty, received ""'],
    [
      'an image',
      { scheme: 's', points, image: 5 },
      'image: expected { "width": pixels, "height": pixels }, received 5',
    ],
    [
      'a width',
      { scheme: 's', points, image: { width: 0, height: 1 } },
      'image.width: expected a positive number of pixels, received 0',
    ],
    [
      'confidences',
      { scheme: 's', points, confidence: [1] },
      'confidence: expected an array of 3, one number a point, received an array of 1',
    ],
    [
      'a confidence',
      { scheme: 's', points, confidence: [1, 2, 0] },
      'confidence[1]: expected a number in 0..1, received 2',
    ],
    [
      'a camera',
      { scheme: 's', points, camera: 'weak' },
      'camera: expected { "type", "focal", "principal" }, received "weak"',
    ],
    [
      'a camera type',
      { scheme: 's', points, camera: { type: 'w' } },
      'camera.type: expected "perspective" or "weak", received "w"',
    ],
    [
      'a focal length',
      { scheme: 's', points, camera: { focal: -1 } },
      'camera.focal: expected a positive number of pixels, received -1',
    ],
    [
      'a principal point',
      { scheme: 's', points, camera: { principal: [1] } },
      'camera.principal: expected [x, y], received an array of 1',
    ],
    [
      'half a principal point',
      { scheme: 's', points, camera: { principal: [1, null] } },
      'camera.principal[1]: expected a finite number, received null',
    ],
  ])('says what is wrong with %s', (_, value, message) => {
    expect(complaint(() => parseObservation(value))).toBe(message)
  })
})

describe('parsePts', () => {
  const file = (count: number, rows: string[]) => `version: 1\nn_points: ${count}\n{\n${rows.join('\n')}\n}\n`
  const rows = (count: number) => Array.from({ length: count }, (_, i) => `${i + 1} ${2 * i + 1.25}`)

  it('counts pixels from the top-left corner instead of from 1 at the centre', () => {
    const { scheme, points, image } = parsePts(file(68, rows(68)))
    expect(scheme).toBe('ibug68')
    expect(image).toBeUndefined()
    expect(points).toHaveLength(68)
    expect(points[0]).toEqual([0.5, 0.75])
    expect(points[67]).toEqual([67.5, 134.75])
  })

  it('tells the scheme by the number of points', () => {
    expect(parsePts(file(478, rows(478))).scheme).toBe('mediapipe478')
    const { scheme, points } = parsePts(file(468, rows(468)))
    expect(scheme).toBe('mediapipe478')
    expect(points).toHaveLength(478)
    expect(points.slice(468)).toEqual(Array(10).fill(null))
  })

  it('reads Windows line breaks, blank lines, tabs, and missing points', () => {
    const text = file(68, ['nan NaN', ...rows(68).slice(1)])
      .replaceAll('\n', '\r\n')
      .replace('{', '\r\n {\t')
      .replaceAll(' ', '\t ')
    expect(parsePts(text).points[0]).toBeNull()
  })

  it.each<[string, string, string]>([
    ['too few', file(68, rows(67)), 'line 71: expected 68 points as n_points says, received 67'],
    ['another count', file(5, rows(5)), 'expected a .pts file of 68, 468, 478 points, received one of 5'],
    ['three numbers', file(68, ['1 2 3', ...rows(67)]), 'line 4: expected two numbers, x and y, received "1 2 3"'],
    ['a word', file(68, ['1 x', ...rows(67)]), 'line 4: expected two numbers, x and y, received "1 x"'],
    ['half missing', file(68, ['1 nan', ...rows(67)]), 'line 4: expected two numbers, x and y, received "1 nan"'],
    ['no brace', 'version: 1\nn_points: 68\n1 2\n', 'line 3: expected "name: value" or "{", received "1 2"'],
    ['no end', 'version: 1\n{\n1 2', 'line 4: expected "}" after the last point, received the end of the file'],
    ['no points', 'version: 1\n', 'line 2: expected "{" before the points, received the end of the file'],
    ['another version', file(68, rows(68)).replace('1', '2'), 'line 1: expected version 1, received 2'],
    ['a bad count', file(0, rows(68)), 'line 2: expected a number of points, received "0"'],
    ['a second set', `${file(68, rows(68))}{`, 'line 73: expected nothing after "}", received "{"'],
  ])('says what is wrong with %s', (_, text, message) => {
    expect(complaint(() => parsePts(text))).toBe(message)
  })
})

describe('parseLatents', () => {
  it('takes a fit result, and arrays', () => {
    const identity = [0.6, 0.8]
    expect(parseLatents({ id: 'a', identity, expression: { jawOpen: 0.3 }, pose: {} })).toEqual({
      id: 'a',
      identity,
      expression: { jawOpen: 0.3 },
    })
    expect(parseLatents({ identity, expression: [0.1] })).toEqual({ identity, expression: [0.1] })
  })

  it.each<[unknown, string]>([
    [3, 'expected an object with "identity", received 3'],
    [{}, 'identity: expected an array of numbers, received undefined'],
    [{ identity: [1, null] }, 'identity[1]: expected a finite number, received null'],
    [{ identity: [1], expression: 'x' }, 'expression: expected an array, or coefficients by name, received "x"'],
    [{ identity: [1], expression: { a: '1' } }, 'expression.a: expected a finite number, received "1"'],
    [{ identity: [1], id: 1 }, 'id: expected a string that is not empty, received 1'],
  ])('says what is wrong with %j', (value, message) => {
    expect(complaint(() => parseLatents(value))).toBe(message)
  })
})

describe('parseEmbedding', () => {
  it('takes a usable result', () => {
    expect(parseEmbedding({ id: 'a', usable: true, embedding: [1, 0] })).toEqual({ id: 'a', embedding: [1, 0] })
  })

  it.each<[unknown, string]>([
    [[1], 'expected a fit result, received an array of 1'],
    [{ usable: false, message: 'too few points', embedding: [] }, 'not usable: too few points'],
    [{ usable: true }, 'embedding: expected an array of numbers, received undefined'],
  ])('says what is wrong with %j', (value, message) => {
    expect(complaint(() => parseEmbedding(value))).toBe(message)
  })
})
