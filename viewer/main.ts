import { button, check, choice, element, group, readable, type Slider, slider } from './elements.js'
import { loadImage } from './loadImage.js'
import { type Page, readPage } from './readPage.js'
import { Stage } from './Stage.js'
import { shapeAt, type Whereabouts } from './walk.js'

const byId = <T extends HTMLElement>(id: string) => document.getElementById(id) as T

/** Where one looks from. */
const VIEWS = [
  ['Front', 0],
  ['Left', -50],
  ['Right', 50],
] as const

/** The parts of a face, for its expressions. */
const PARTS = ['brow', 'eye', 'cheek', 'nose', 'jaw', 'mouth']

/** Degrees of an arrow key. */
const TURN = 5
const NEARER = 1.1

async function start(): Promise<void> {
  let firstTexture: Promise<HTMLImageElement> | undefined
  const page = await readPage(byId('data').textContent ?? '', ({ faces: [first] }) => {
    firstTexture = first?.texture === undefined ? undefined : loadImage(first.texture)
  })
  const viewer = new Viewer(page, firstTexture)
  await viewer.open(0)
  viewer.stage.frame(0)
  await nextFrame()
  await nextFrame()
  // For who measures: milliseconds from the beginning of the page until its first picture has been shown.
  document.documentElement.dataset.firstFrame = String(Math.round(performance.now()))
}

class Viewer {
  readonly stage: Stage
  readonly #page: Page
  readonly #firstTexture: Promise<HTMLImageElement> | undefined
  readonly #canvas = byId<HTMLCanvasElement>('canvas')
  readonly #where: Whereabouts & { along: number[]; expression: number[] }
  readonly #shape: Float32Array
  readonly #neutral: Float32Array
  #face = 0
  #share: Slider
  #towards: Slider | undefined
  #along: Slider[] = []
  #expression: Slider[] = []
  #texture: ReturnType<typeof check>
  #photo: ReturnType<typeof check>
  #wireframe: ReturnType<typeof check>
  #shortcuts: ReturnType<typeof check>
  #opacity: Slider

  /** @param firstTexture Of the first face, under way. */
  constructor(page: Page, firstTexture: Promise<HTMLImageElement> | undefined) {
    this.#page = page
    this.#firstTexture = firstTexture
    const { model } = page.data
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches
    this.stage = new Stage(this.#canvas, page, still)
    this.#where = {
      share: 1,
      along: model.directions.map(() => 0),
      expression: model.expressions.map(() => 0),
    }
    this.#shape = new Float32Array(page.columns.average.length)
    this.#neutral = new Float32Array(page.columns.average.length)

    this.#texture = check('Texture', 'T', true, () => void this.#showTexture())
    this.#wireframe = check('Wireframe', 'W', false, (isOn) => this.stage.setWireframe(isOn))
    this.#photo = check('Over the photo', 'O', false, () => void this.#showPhoto())
    this.#shortcuts = check('Keyboard shortcuts', '', true, () => undefined)
    this.#opacity = slider({
      label: 'Opacity over the photo',
      least: 0,
      most: 1,
      value: 0.8,
      change: () => this.#fade(),
    })
    this.#share = slider({
      label: 'From the mean face (0) to this one (1)',
      least: 0,
      most: 2,
      value: 1,
      change: (value) => this.#walk({ share: value }),
    })
    this.#build()
    this.#listen()
  }

  /** Shows one of the page's faces, as it was fitted. */
  async open(index: number): Promise<void> {
    this.#face = index
    const face = this.#page.faces[index]!
    byId('title').textContent = face.name
    this.#texture.root.hidden = face.texture === undefined
    this.#photo.root.hidden = face.photo === undefined
    this.#opacity.root.hidden = face.photo === undefined
    if (face.photo === undefined) this.#photo.checked = false
    this.#asFitted()
    await this.#showTexture()
    await this.#showPhoto()
  }

  #build(): void {
    const { data, faces } = this.#page
    const { model } = data
    const panel = byId('panel')
    if (faces.length > 1)
      panel.append(
        group(
          'Face',
          choice(
            'Which one',
            faces.map(({ name }) => name),
            (index) => void this.open(index).then(() => this.stage.frame()),
          ),
        ),
      )
    panel.append(
      group(
        'View',
        element('div', { className: 'buttons' }, ...VIEWS.map(([name, yaw]) => button(name, () => this.#look(yaw)))),
        this.#texture.root,
        this.#wireframe.root,
        this.#photo.root,
        this.#opacity.root,
        this.#shortcuts.root,
      ),
      this.#identityGroup(),
      this.#expressionGroup(),
      element('p', { className: 'quiet' }, `Model: ${model.name}. ${model.attribution} Licence: ${model.license}.`),
      element('p', { className: 'quiet' }, 'An identity is biometric data: ask before you pass it on.'),
    )
  }

  #identityGroup(): HTMLElement {
    const { data, faces } = this.#page
    this.#along = data.model.directions.map((_, d) =>
      slider({
        label: `Direction ${d + 1}`,
        least: -3,
        most: 3,
        value: 0,
        unit: ' σ',
        change: (value) => {
          this.#where.along[d] = value
          this.#show()
        },
      }),
    )
    const towards: Node[] = []
    if (faces.length > 1) {
      let other = faces.length > 1 ? 1 : 0
      const walk = (share: number) => this.#walk({ towards: { place: faces[other]!.place, share } })
      const made = slider({ label: 'On the way to it', least: 0, most: 1, value: 0, change: walk })
      this.#towards = made
      const names = faces.map(({ name }) => name)
      const target = choice('Another face', names, (index) => {
        other = index
        walk(made.value)
      })
      target.querySelector('select')!.selectedIndex = other
      towards.push(target, made.root)
    }
    return group(
      'Identity',
      element('p', { className: 'quiet' }, 'Walks along geodesics of the sphere on which identities lie.'),
      this.#share.root,
      ...towards,
      element(
        'details',
        {},
        element('summary', {}, 'Directions, from what changes faces the most'),
        ...this.#along.map(({ root }) => root),
      ),
      element(
        'div',
        { className: 'buttons' },
        button('This identity', () => this.#ownIdentity()),
      ),
    )
  }

  #expressionGroup(): HTMLElement {
    const { expressions } = this.#page.data.model
    this.#expression = expressions.map(({ name, least, most }, e) =>
      slider({
        label: readable(name),
        least: Math.min(least, 0),
        most: Math.max(most, 1),
        value: 0,
        change: (value) => {
          this.#where.expression[e] = value
          this.#show()
        },
      }),
    )
    const part = (name: string) => PARTS.find((each) => name.startsWith(each)) ?? 'other'
    const parts = [...PARTS, 'other'].flatMap((each) => {
      const sliders = this.#expression.filter((_, e) => part(expressions[e]!.name) === each)
      if (sliders.length === 0) return []
      const heading = element('summary', {}, each.charAt(0).toUpperCase() + each.slice(1))
      return [element('details', { open: each === 'jaw' }, heading, ...sliders.map(({ root }) => root))]
    })
    return group(
      'Expression',
      element(
        'div',
        { className: 'buttons' },
        button('As fitted', () => this.#asFitted(), 'R'),
        button('Neutral', () => this.#neutralise(), 'N'),
      ),
      ...parts,
    )
  }

  #listen(): void {
    const switches: Record<string, () => void> = {
      t: () => toggle(this.#texture),
      w: () => toggle(this.#wireframe),
      o: () => toggle(this.#photo),
      r: () => this.#asFitted(),
      n: () => this.#neutralise(),
    }
    document.addEventListener('keydown', (event) => {
      if (!this.#shortcuts.checked || event.ctrlKey || event.metaKey || event.altKey) return
      if (event.target instanceof HTMLSelectElement) return
      const pressed = switches[event.key.toLowerCase()]
      if (!pressed) return
      pressed()
      event.preventDefault()
    })
    const moves: Record<string, () => void> = {
      ArrowLeft: () => this.stage.move(-TURN, 0, 1),
      ArrowRight: () => this.stage.move(TURN, 0, 1),
      ArrowUp: () => this.stage.move(0, TURN, 1),
      ArrowDown: () => this.stage.move(0, -TURN, 1),
      '+': () => this.stage.move(0, 0, NEARER),
      '=': () => this.stage.move(0, 0, NEARER),
      '-': () => this.stage.move(0, 0, 1 / NEARER),
      Home: () => this.stage.frame(0),
    }
    this.#canvas.addEventListener('keydown', (event) => {
      const moved = moves[event.key]
      if (!moved || event.ctrlKey || event.metaKey || event.altKey) return
      moved()
      event.preventDefault()
    })
  }

  #look(yaw: number): void {
    if (this.#photo.checked) this.#photo.checked = false
    this.stage.frame(yaw)
  }

  #asFitted(): void {
    this.#setIdentity()
    this.#setExpression(this.#page.faces[this.#face]!.expression)
    this.#show()
  }

  #ownIdentity(): void {
    this.#setIdentity()
    this.#show()
  }

  #neutralise(): void {
    this.#setExpression(this.#where.expression.map(() => 0))
    this.#show()
  }

  #setIdentity(): void {
    this.#share.value = 1
    for (const each of this.#along) each.value = 0
    if (this.#towards) this.#towards.value = 0
    this.#where.along.fill(0)
    Object.assign(this.#where, { share: 1, towards: undefined })
  }

  #setExpression(values: readonly number[]): void {
    values.forEach((value, e) => {
      this.#where.expression[e] = value
      this.#expression[e]!.value = value
    })
  }

  #walk(part: Partial<Whereabouts>): void {
    Object.assign(this.#where, part)
    this.#show()
  }

  #show(): void {
    const { columns, faces, data } = this.#page
    const { place } = faces[this.#face]!
    const atRest = { ...this.#where, expression: [] }
    this.stage.show({
      shape: shapeAt(columns, place, this.#where, this.#shape),
      neutral: shapeAt(columns, place, atRest, this.#neutral),
      morphs: data.model.expressions.map(({ name }, e) => ({
        name,
        displacements: columns.expressions[e]!,
        weight: this.#where.expression[e]!,
      })),
    })
  }

  async #showTexture(): Promise<void> {
    const index = this.#face
    const { texture } = this.#page.faces[index]!
    const isWanted = texture && this.#texture.checked
    const image = isWanted ? await ((index === 0 && this.#firstTexture) || loadImage(texture)) : undefined
    // Another face may have been chosen meanwhile.
    if (index === this.#face) this.stage.setTexture(image)
  }

  async #showPhoto(): Promise<void> {
    const { photo } = this.#page.faces[this.#face]!
    const image = byId<HTMLImageElement>('photo')
    const isOver = photo !== undefined && this.#photo.checked
    if (isOver) image.src = photo.image
    image.hidden = !isOver
    byId('hint').hidden = isOver
    this.stage.setPhoto(isOver ? photo : undefined)
    this.#fade()
    this.#say(isOver ? 'The face lies over its photo.' : '')
  }

  #fade(): void {
    this.#canvas.style.opacity = this.#photo.checked ? String(this.#opacity.value) : ''
  }

  #say(text: string): void {
    byId('status').textContent = text
  }
}

function toggle(each: ReturnType<typeof check>): void {
  if (!each.root.hidden) each.checked = !each.checked
}

function nextFrame(): Promise<number> {
  return new Promise((shown) => requestAnimationFrame(shown))
}

// Last: classes are not there before their place.
start().catch((error: unknown) => {
  const failure = byId('failure')
  failure.textContent = error instanceof Error ? error.message : String(error)
  failure.hidden = false
})
