// Medians of many runs, with their spread; contenders take turns so that a machine's drift hits them alike.

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2
}

/**
 * @param contenders functions by name, async or not; each call is one run.
 * @returns by name: { median, min, max } in milliseconds, and the number of runs.
 */
export async function race(contenders, { seconds = 1.5, leastRuns = 7 } = {}) {
  const times = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]))
  for (const run of Object.values(contenders)) await run()
  const end = performance.now() + seconds * 1000
  for (let round = 0; round < leastRuns || performance.now() < end; round++) {
    for (const [name, run] of Object.entries(contenders)) {
      const start = performance.now()
      await run()
      times[name].push(performance.now() - start)
    }
  }
  return Object.fromEntries(
    Object.entries(times).map(([name, t]) => [
      name,
      { median: median(t), min: Math.min(...t), max: Math.max(...t), runs: t.length },
    ]),
  )
}
