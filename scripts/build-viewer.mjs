// Bundles the viewer's page into dist/viewer/viewer.html, or viewer/viewer.html of the folder given: one file with its
// style, its program and three.js in it, and two places for a title and data, which lib/viewer/encodeViewer.ts fills.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const root = new URL('../', import.meta.url)
const read = (path) => readFileSync(new URL(path, root), 'utf8')

const bundle = await rolldown({
  input: fileURLToPath(new URL('viewer/main.ts', root)),
  platform: 'browser',
  tsconfig: fileURLToPath(new URL('viewer/tsconfig.json', root)),
  // Sources name each other by what they are compiled to.
  resolve: { extensionAlias: { '.js': ['.ts', '.js'] } },
})
const { output } = await bundle.generate({ format: 'iife', minify: true, comments: false })
await bundle.close()

/** Nothing in a script element may look like its end, or like a comment. */
const program = output[0].code.replaceAll('</script', '<\\/script').replaceAll('<!--', '<\\!--')
const licence = `three.js, bundled below:\n\n${read('node_modules/three/LICENSE').trim()}`

// Functions, since a text would have its $ replaced.
const page = read('viewer/page.html')
  .replace('VIEWER_STYLE', () => read('viewer/style.css').trim())
  .replace('VIEWER_PROGRAM', () => `/*\n${licence}\n*/\n${program.trim()}`)

const folder = join(process.argv[2] ?? fileURLToPath(new URL('dist', root)), 'viewer')
mkdirSync(folder, { recursive: true })
writeFileSync(join(folder, 'viewer.html'), page)
console.log(`viewer.html: ${Math.round(page.length / 1024)} KB`)
