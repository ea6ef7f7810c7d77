import type { TrainingContext } from './TrainingContext.js'

/**
 * The context of a part of a stage: its checkpoints have names of their own, and its progress is a part of the whole.
 *
 * @param from Of the whole's progress, where the part begins.
 * @param to Where it ends.
 */
export function partOf(context: TrainingContext, name: string, from: number, to: number): TrainingContext {
  const { seed, signal, checkpoint } = context
  return {
    seed,
    signal,
    record: (metrics) => context.record(metrics),
    progress: (fraction, what) => context.progress(from + fraction * (to - from), what),
    checkpoint: {
      load: (own) => checkpoint.load(`${name}-${own}`),
      save: (own, state) => checkpoint.save(`${name}-${own}`, state),
    },
    breathe: () => context.breathe(),
  }
}
