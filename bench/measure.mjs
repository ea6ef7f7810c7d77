// Medians of many runs, with their spread; contenders take turns so that a machine's drift hits them alike.

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2
}

/** Median and spread of some times. */
export function summary(times) {
  return { median: median(times), min: Math.min(...times), max: Math.max(...times), runs: times.length }
}

/** Milliseconds of the processor that this process has used so far, all threads together. */
function processorTime() {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/**
 * @param contenders functions by name, async or not; each call is one run. One that returns an object with `milliseconds`
 *   and `cpu` has timed itself: another process, which is not charged for the way there.
 * @returns by name: { median, min, max } in milliseconds, the number of runs, and as `cpu` the median of the processor's
 *   time, which on a machine that others use as well says more.
 */
export async function race(contenders, { seconds = 1.5, leastRuns = 7 } = {}) {
  const times = Object.fromEntries(Object.keys(contenders).map((name) => [name, { clock: [], cpu: [] }]))
  for (const run of Object.values(contenders)) await run()
  const end = performance.now() + seconds * 1000
  for (let round = 0; round < leastRuns || performance.now() < end; round++) {
    for (const [name, run] of Object.entries(contenders)) {
      const used = processorTime()
      const start = performance.now()
      const own = await run()
      times[name].clock.push(own?.milliseconds ?? performance.now() - start)
      times[name].cpu.push(own?.cpu ?? processorTime() - used)
    }
  }
  return Object.fromEntries(
    Object.entries(times).map(([name, { clock, cpu }]) => [name, { ...summary(clock), cpu: median(cpu) }]),
  )
}
