import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EvaluationReport, REPORT_FORMAT, reportCheck, reportValue } from '../../lib/evaluate/EvaluationReport.js'
import { renderMarkdown } from '../../lib/evaluate/renderMarkdown.js'
import { writeReport } from '../../lib/evaluate/writeReport.js'
import { expectSfmError, expectSfmRejection } from '../fixtures/expectSfmError.js'

/** A report with a little of everything. */
function example(): EvaluationReport {
  return {
    format: REPORT_FORMAT,
    title: 'Sphere against PCA',
    summary: 'The **sphere** wins.',
    models: [
      { key: 'sfm', name: 'Sphere | model', description: '64 modes' },
      { key: 'pca', name: 'PCA' },
    ],
    settings: { seed: 1, data: 'photos_dev', noPhotos: null },
    sections: [
      {
        key: 'photos',
        title: 'Real photos',
        text: 'Pairs within a collection.',
        columns: [
          { key: 'auc', name: 'AUC', better: 'higher' },
          { key: 'tar', name: 'TAR', better: 'higher', percent: true, decimals: 1 },
          { key: 'rmse', name: 'RMSE', unit: 'mm', better: 'lower', decimals: 2 },
          { key: 'count', name: 'photos', decimals: 0 },
        ],
        rows: [
          {
            model: 'sfm',
            condition: 'K = 64',
            values: {
              auc: { value: 0.8251, low: 0.8, high: 0.85 },
              tar: reportValue({ value: Number.NaN, low: Number.NaN, high: Number.NaN }),
              rmse: { value: 1.234 },
              count: { value: 679 },
            },
          },
          {
            model: 'pca',
            condition: 'K = 64',
            values: {
              auc: { value: 0.776, low: 0.74, high: 0.81 },
              tar: { value: 0.16, low: 0.1, high: 0.2 },
              rmse: { value: 1.2341 },
            },
          },
          { model: 'pca', condition: 'K = 100', values: { auc: { value: 0.9 } } },
        ],
        differences: [
          { model: 'sfm', against: 'pca', column: 'auc', condition: 'K = 64', value: 0.0491, low: 0.03, high: 0.07 },
          { model: 'sfm', against: 'pca', column: 'tar', value: -0.02, low: -0.05, high: 0.01 },
          { model: 'sfm', against: 'pca', column: 'rmse', value: 0.4, low: 0.1, high: 0.7 },
          { model: 'sfm', against: 'pca', column: 'count', value: 0, low: -1, high: 1 },
        ],
        checks: [reportCheck('AUC', 0.8251, 'at least', 0.82), reportCheck('EER ratio', Number.NaN, 'at most', 0.92)],
        plots: [{ file: 'roc.svg', title: 'ROC', description: 'Higher is *better*.' }],
        notes: ['Three photos failed.'],
      },
    ],
  }
}

describe('renderMarkdown', () => {
  it('writes a table a section, the best of each column and condition in bold', () => {
    expect(renderMarkdown(example())).toBe(`# Sphere against PCA

The **sphere** wins.

- **Sphere \\| model**: 64 modes
- **PCA**

## Real photos

Pairs within a collection.

| model |  | AUC ↑ | TAR ↑ | RMSE (mm) ↓ | photos |
|---|---:|---:|---:|---:|---:|
| Sphere \\| model | K = 64 | **0.825** [0.800, 0.850] | – | **1.23** | 679 |
| PCA | K = 64 | 0.776 [0.740, 0.810] | 16.0% [10.0, 20.0] | **1.23** |  |
| PCA | K = 100 | 0.900 |  |  |  |

| paired difference | measure | difference |  |
|---|---:|---:|---:|
| Sphere \\| model − PCA, K = 64 | AUC ↑ | +0.049 [0.030, 0.070] | better |
| Sphere \\| model − PCA | TAR ↑ | −2.0% [−5.0, 1.0] | not told apart |
| Sphere \\| model − PCA | RMSE (mm) ↓ | +0.40 [0.10, 0.70] | worse |
| Sphere \\| model − PCA | photos | 0 [−1, 1] |  |

| bar | value |  | met |
|---|---:|---:|---:|
| AUC | 0.8251 | at least 0.82 | yes |
| EER ratio | – | at most 0.92 | **no** |

![ROC](roc.svg)

*Higher is \\*better\\*.*

- Three photos failed.

## Settings

| setting | value |
|---|---:|
| seed | 1 |
| data | photos\\_dev |
| noPhotos | – |
`)
  })

  it('keeps what others wrote from being markup', () => {
    const report = example()
    report.models[1]!.name = 'a\n| b <script> [x](y)'
    expect(renderMarkdown(report)).toContain('| a \\| b \\<script\\> \\[x\\](y) | K = 100 |')
  })

  it('refuses a report that contradicts itself', () => {
    const broken = (change: (report: EvaluationReport) => unknown) => () => {
      const report = example()
      change(report)
      return renderMarkdown(report)
    }
    const [row] = example().sections[0]!.rows
    const section = (change: Partial<EvaluationReport['sections'][number]>) => (report: EvaluationReport) =>
      Object.assign(report.sections[0] as object, change)
    const difference = example().sections[0]!.differences![0]!
    const cases: [(report: EvaluationReport) => unknown, RegExp][] = [
      [
        section({ rows: [{ ...row!, model: 'x' }] }),
        /^report\.sections\[0\]\.rows\[0\]\.model: expected one of sfm, pca/,
      ],
      [section({ rows: [{ ...row!, values: { x: { value: 1 } } }] }), /^report\.sections\[0\]\.rows\[0\]\.values/],
      [section({ rows: [row!, row!] }), /^report\.sections\[0\]\.rows\[1\]: expected one row/],
      [section({ differences: [{ ...difference, against: 'x' }] }), /differences\[0\]\.against/],
      [section({ differences: [{ ...difference, column: 'x' }] }), /differences\[0\]\.column/],
      [section({ plots: [{ file: '../roc.svg', title: 'x' }] }), /plots\[0\]\.file: expected a plain/],
      [(report) => report.models.push(report.models[0]!), /^report\.models\[2\]\.key/],
      [(report) => Object.assign(report, { format: 'x' }), /^report\.format/],
    ]
    for (const [change, message] of cases) expectSfmError(broken(change), 'INVALID_ARGUMENT', message)
  })
})

describe('writeReport', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sfm-report-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it('writes JSON, Markdown and the pictures it names', async () => {
    const target = join(folder, 'new', 'report')
    await writeReport(target, example(), { 'roc.svg': '<svg/>', 'unused.svg': '<svg/>' })
    expect((await readdir(target)).sort()).toEqual(['report.json', 'report.md', 'roc.svg'])
    expect(JSON.parse(await readFile(join(target, 'report.json'), 'utf8'))).toEqual(example())
    expect(await readFile(join(target, 'report.md'), 'utf8')).toBe(renderMarkdown(example()))
    expect(await readFile(join(target, 'roc.svg'), 'utf8')).toBe('<svg/>')
    await writeReport(target, { ...example(), title: 'Again' }, { 'roc.svg': '<svg/>' })
    expect(await readFile(join(target, 'report.md'), 'utf8')).toMatch(/^# Again/)
  })

  it('writes nothing where a picture is missing, or the folder cannot be', async () => {
    const target = join(folder, 'none')
    await expectSfmRejection(
      writeReport(target, example()),
      'INVALID_ARGUMENT',
      /plots\[0\]\.file: expected one of none/,
    )
    expect(await readdir(folder)).not.toContain('none')
    await writeFile(join(folder, 'file'), '')
    await expectSfmRejection(writeReport(join(folder, 'file', 'x'), example(), { 'roc.svg': '' }), 'IO', /cannot make/)
  })
})
