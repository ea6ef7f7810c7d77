import { stat } from 'node:fs/promises'
import type { ModelData } from '../model/ModelData.js'
import type { Cli } from './Cli.js'
import { EXIT } from './exitCode.js'
import { table } from './table.js'

/** As on the command line; see docs/cli.md. */
export interface InfoCommandOptions {
  json?: boolean
}

/** `sfm info`: what a model holds, and its licence. */
export async function info(source: string | undefined, options: InfoCommandOptions, cli: Cli): Promise<number> {
  using model = await cli.engine.loadModel(source)
  const facts = factsOf(model.data, source === undefined ? undefined : await fileSize(source))
  await cli.out.write(options.json ? `${JSON.stringify(facts)}\n` : describe(facts))
  return EXIT.success
}

type Facts = ReturnType<typeof factsOf>

function factsOf(data: ModelData, fileBytes: number | undefined) {
  const { metadata } = data
  return {
    name: metadata.name,
    version: metadata.version,
    license: metadata.license,
    attribution: metadata.attribution,
    provenance: metadata.provenance,
    units: metadata.units,
    latent: metadata.latent,
    vertices: data.vertexCount,
    triangles: data.triangles.length / 3,
    identities: data.identityCount,
    expressions: data.expressionCount,
    expressionNames: metadata.expressionNames,
    regionNames: metadata.regionNames,
    precision: data.identityBasis instanceof Uint16Array ? 'F16' : 'F32',
    schemes: [...data.schemes.values()].map(({ name, count }) => ({ name, landmarks: count })),
    uv: data.uv !== undefined,
    mirror: data.mirror !== undefined,
    regions: data.region !== undefined,
    albedo: data.albedoMean !== undefined,
    withinIdentity: data.withinIdentityBasis !== undefined,
    /** Of the tensors; the file has a header besides. */
    bytes: tensorBytes(data),
    ...(fileBytes !== undefined && { fileBytes }),
  }
}

function tensorBytes(data: ModelData): number {
  const tensors = [...Object.values(data), ...[...data.schemes.values()].flatMap((scheme) => Object.values(scheme))]
  return tensors.reduce((sum: number, tensor) => sum + (ArrayBuffer.isView(tensor) ? tensor.byteLength : 0), 0)
}

/** A model may come from a URL, too: then its size is its own business. */
async function fileSize(path: string): Promise<number | undefined> {
  return (await stat(path).catch(() => undefined))?.size
}

function describe(facts: Facts): string {
  const count = (value: number) => value.toLocaleString('en')
  const optional = { uv: 'texture coordinates', mirror: 'mirror pairs', regions: 'regions', albedo: 'albedo' } as const
  const extras = Object.entries(optional).flatMap(([field, name]) =>
    facts[field as keyof typeof optional] ? name : [],
  )
  const latent = facts.latent === 'sphere' ? `on the unit sphere in R^${facts.identities}` : 'Gaussian'
  return table(
    ['', ''],
    [
      ['name', `${facts.name} ${facts.version}`.trim()],
      ['licence', facts.license],
      ['attribution', facts.attribution],
      ['surface', `${count(facts.vertices)} vertices, ${count(facts.triangles)} triangles, in ${facts.units}`],
      ['identity', `${count(facts.identities)} latents, ${latent}`],
      ['expression', `${count(facts.expressions)} blendshapes: ${facts.expressionNames.join(', ')}`],
      ['landmarks', facts.schemes.map(({ name, landmarks }) => `${name} (${landmarks})`).join(', ') || 'none'],
      ['further', extras.join(', ') || 'nothing'],
      ['size', `${(facts.bytes / 1e6).toFixed(1)} MB in ${facts.precision}`],
    ],
  )
}
