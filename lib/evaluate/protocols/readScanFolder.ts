import { join } from 'node:path'
import { SfmError } from '../../errors.js'
import type { Observation } from '../../fit/Observation.js'
import { readMesh } from '../../inputs/readMesh.js'
import { readObservations } from '../../inputs/readObservations.js'
import { readBytes } from '../../model/formats/modelFile.js'
import { parseScanProtocol, type ScanEntry, type ScanProtocol } from '../scanProtocol.js'
import type { ScanWithImages } from './scanEvaluation.js'

/** The list of a folder of scans. */
export const SCANS_FILE = 'scans.json'

/**
 * Opens a folder of scans with images (docs/evaluation.md).
 *
 * @returns What its list says, and its scans, read one at a time whenever they are asked for; in mm.
 * @throws SfmError IO, INVALID_INPUT naming the file.
 */
export async function openScanFolder(
  folder: string,
  signal?: AbortSignal,
): Promise<{ protocol: ScanProtocol; scans: () => AsyncGenerator<ScanWithImages> }> {
  const path = join(folder, SCANS_FILE)
  const bytes = await readBytes(path)
  let protocol: ScanProtocol
  try {
    protocol = parseScanProtocol(JSON.parse(new TextDecoder().decode(bytes)))
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new SfmError('INVALID_INPUT', `${path}: ${reason}`, { cause })
  }
  return {
    protocol,
    scans: async function* () {
      for (const entry of protocol.scans) yield await readScan(folder, entry, protocol.unit, signal)
    },
  }
}

async function readScan(
  folder: string,
  { id, subject, condition, scan, landmarks, noseTip, images }: ScanEntry,
  unit: number,
  signal: AbortSignal | undefined,
): Promise<ScanWithImages> {
  const points = await readMesh(join(folder, scan))
  const inMillimetres = (values: readonly number[]) => values.map((value) => value * unit)
  return {
    id,
    subject,
    ...(condition !== undefined && { condition }),
    points: points.map((value) => value * unit),
    landmarks: inMillimetres(landmarks.flat()),
    noseTip: inMillimetres(noseTip),
    images: await readImages(
      images.map((image) => join(folder, image)),
      signal,
    ),
  }
}

async function readImages(paths: readonly string[], signal: AbortSignal | undefined): Promise<Observation[]> {
  const images: Observation[] = []
  for await (const { observation, error } of readObservations(paths, signal ? { signal } : {})) {
    if (error) throw error
    images.push(observation)
  }
  return images
}
