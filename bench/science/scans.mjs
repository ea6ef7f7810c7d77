// Learns from scans as stage 1 of a training does, in the closed form.

import { closedForm } from '../../dist/train/stage1/closedForm.js'
import { findSpan } from '../../dist/train/stage1/findSpan.js'
import { Mirror } from '../../dist/train/stage1/mirror.js'
import { readScans } from '../../dist/train/stage1/readScans.js'
import { readCoordinates } from '../../dist/train/stage1/ScanCoordinates.js'
import { STAGE1_DEFAULTS } from '../../dist/train/stage1/Stage1Options.js'
import { withAlpha } from '../../dist/train/stage1/withAlpha.js'

/** The training people's scans in the coordinates of their span, and the models that they give, by number of latents. */
export async function learnFromScans(data, seed, spanRank) {
  const template = await data.template()
  const { withinFactors, alpha } = STAGE1_DEFAULTS
  const mirror = Mirror.of(template)
  const scans = () => readScans(data, template, 'train')
  const span = await findSpan(scans, template, {
    rank: spanRank,
    seed,
    mirror: typeof mirror === 'string' ? undefined : mirror,
  })
  span.template = template
  const train = await readCoordinates(scans(), span)
  const formOf = (identityCount) =>
    withAlpha(closedForm(train, span, template, { identityCount, withinFactors }), alpha)
  return { template, span, train, formOf }
}
