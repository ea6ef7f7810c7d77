/** Elements of the panel, each with a label that belongs to it. */

let count = 0

/** An element with properties and content. */
export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  ...content: Array<Node | string>
): HTMLElementTagNameMap[K] {
  const made = Object.assign(document.createElement(name), properties)
  made.append(...content)
  return made
}

export interface Slider {
  readonly root: HTMLElement
  /** Setting it does not call `change`. */
  value: number
}

/** A slider with its label and its value. */
export function slider(options: {
  label: string
  least: number
  most: number
  value: number
  unit?: string
  change: (value: number) => void
}): Slider {
  const { label, least, most, unit = '', change } = options
  const id = `slider-${++count}`
  const output = element('output')
  output.htmlFor.add(id)
  const input = element('input', { id, type: 'range', min: `${least}`, max: `${most}`, step: '0.01' })
  const show = () => {
    // Adding 0 turns -0 into 0.
    output.value = `${(Number(input.valueAsNumber.toFixed(2)) + 0).toFixed(2)}${unit}`
    input.setAttribute('aria-valuetext', output.value)
  }
  input.addEventListener('input', () => {
    show()
    change(input.valueAsNumber)
  })
  const set = (value: number) => {
    input.value = String(value)
    show()
  }
  set(options.value)
  const root = element('div', { className: 'slider' }, element('label', { htmlFor: id }, label), output, input)
  return {
    root,
    get value() {
      return input.valueAsNumber
    },
    set value(value: number) {
      set(value)
    },
  }
}

export interface Check {
  readonly root: HTMLElement
  /** Setting it calls `change`. */
  checked: boolean
}

/** A checkbox with its label, and the key that switches it. */
export function check(label: string, key: string, isOn: boolean, change: (isOn: boolean) => void): Check {
  const id = `check-${++count}`
  const input = element('input', { id, type: 'checkbox', checked: isOn })
  if (key) input.setAttribute('aria-keyshortcuts', key)
  input.addEventListener('change', () => change(input.checked))
  const root = element(
    'div',
    { className: 'check' },
    input,
    element('label', { htmlFor: id }, label),
    ...(key ? [element('kbd', { ariaHidden: 'true' }, key)] : []),
  )
  return {
    root,
    get checked() {
      return input.checked
    },
    set checked(value: boolean) {
      input.checked = value
      change(value)
    },
  }
}

export function button(label: string, press: () => void, key?: string): HTMLButtonElement {
  const made = element('button', { type: 'button' }, label)
  if (key) made.setAttribute('aria-keyshortcuts', key)
  made.addEventListener('click', press)
  return made
}

/** A choice among names, by their index. */
export function choice(label: string, names: readonly string[], change: (index: number) => void): HTMLElement {
  const id = `choice-${++count}`
  const select = element('select', { id }, ...names.map((name) => element('option', {}, name)))
  select.addEventListener('change', () => change(select.selectedIndex))
  return element('div', {}, element('label', { htmlFor: id }, label), select)
}

export function group(legend: string, ...content: Node[]): HTMLFieldSetElement {
  return element('fieldset', {}, element('legend', {}, legend), ...content)
}

/** `mouthSmile_L` as `Mouth smile, left`. */
export function readable(name: string): string {
  const words = name
    .replace(/_L$/, ', left')
    .replace(/_R$/, ', right')
    .replace(/([a-z])([A-Z])/g, (_, end: string, start: string) => `${end} ${start.toLowerCase()}`)
  return words.charAt(0).toUpperCase() + words.slice(1)
}
