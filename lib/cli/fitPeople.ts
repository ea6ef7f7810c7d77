import { SfmError } from '../errors.js'
import type { Fitter } from '../fit/Fitter.js'
import type { JointFitResult } from '../fit/JointFitResult.js'
import type { ObservationItem } from '../inputs/readObservations.js'
import type { MeshModel } from '../outputs/faceMesh.js'
import type { Cli } from './Cli.js'
import { EXIT } from './exitCode.js'
import { OF_AN_OBSERVATION } from './fitStream.js'
import { type ImageOfPerson, personTexture } from './personTexture.js'
import type { ResultFolder } from './ResultFolder.js'

/** Observations that are of one person. */
interface Person {
  id: string
  items: ObservationItem[]
}

/** Where the people go. */
export interface PeopleOutput {
  /** The folder of `--out`. */
  folder: ResultFolder | undefined
  /** Whether results are printed. */
  prints: boolean
}

/**
 * `sfm fit --joint`: all observations with one `subject` are fitted together, and so are all without. Gives one result
 * for each person, in the order in which they first come.
 *
 * @returns The exit status: not all is well where an image has no part in its person's face.
 */
export async function fitPeople(
  model: MeshModel,
  fitter: Pick<Fitter, 'fitJoint'>,
  items: AsyncIterable<ObservationItem>,
  { folder, prints }: PeopleOutput,
  { out, messages, signal }: Cli,
): Promise<number> {
  const people = new Map<string | undefined, Person>()
  let images = 0
  let unused = 0
  const complain = ({ source, id }: ObservationItem, message: string) => {
    unused++
    messages.say(message.startsWith(source) ? message : `${source} (${id}): ${message}`)
  }
  const tellUnreadable = ({ source }: ObservationItem, error: Error) =>
    messages.say(`${source}: not in the texture: ${error.message}`)
  for await (const item of items) {
    images++
    if (item.error) {
      complain(item, item.error.message)
      continue
    }
    if (item.note !== undefined) messages.say(`${item.source}: ${item.note}`)
    const { subject } = item.observation
    const person = people.get(subject) ?? { id: subject ?? 'person', items: [] }
    people.set(subject, person)
    person.items.push(item)
  }
  for (const { id, items: all } of people.values()) {
    const fitted = await fitPerson(fitter, all, complain, signal)
    if (fitted === undefined) continue
    const { result, items: used } = fitted
    for (const i of result.outlier_images) complain(used[i]!, `not used: ${result.images[i]!.message}`)
    const record = { id, ...result.toJSON() }
    const latents = result.usable ? { identity: result.identity } : undefined
    const texture = () => personTexture(model, imagesOf(result, used), tellUnreadable, signal)
    const written = folder ? await folder.write({ id, record, latents, texture }) : record
    if (prints) await out.lines([written])
    if (messages.showsProgress) messages.progress(`${id}: ${result.message}`)
  }
  messages.endProgress()
  if (folder && !prints)
    messages.say(
      `${counted(people.size, 'person', 'people')} from ${counted(images, 'image', 'images')}, ${unused} not used`,
    )
  return unused === 0 && images > 0 ? EXIT.success : EXIT.failure
}

/** Those that are of the person. */
function imagesOf({ images, outlier_images }: JointFitResult, items: readonly ObservationItem[]): ImageOfPerson[] {
  return images
    .map((result, i) => ({ result, item: items[i]! }))
    .filter(({ result }, i) => result.usable && !outlier_images.includes(i))
}

/** Fits what the fitter takes; it says what is wrong with an observation before it does any work. */
async function fitPerson(
  fitter: Pick<Fitter, 'fitJoint'>,
  items: readonly ObservationItem[],
  complain: (item: ObservationItem, message: string) => void,
  signal: AbortSignal,
): Promise<{ result: JointFitResult; items: readonly ObservationItem[] } | undefined> {
  const observations = items.flatMap(({ observation }) => observation ?? [])
  try {
    return { result: await fitter.fitJoint(observations, { signal }), items }
  } catch (error) {
    if (!(error instanceof SfmError) || !OF_AN_OBSERVATION.has(error.code)) throw error
    if (items.length === 1) {
      complain(items[0]!, error.message.replace('observations[0]', 'observation'))
      return undefined
    }
  }
  const accepted: ObservationItem[] = []
  for (const item of items) if (await fitPerson(fitter, [item], complain, signal)) accepted.push(item)
  return accepted.length > 0 ? fitPerson(fitter, accepted, complain, signal) : undefined
}

const counted = (count: number, one: string, many: string) => `${count} ${count === 1 ? one : many}`
