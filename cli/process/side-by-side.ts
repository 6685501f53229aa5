/**
 * Does `work` for each item, for at most `most` items at a time; results are in the order of the items. After an error
 * no further work begins; the error is thrown when the rest has ended.
 */
export async function sideBySide<T, R>(items: readonly T[], most: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const entries = items.entries();
  let failure: { error: unknown } | undefined;
  const workOff = async () => {
    for (const [i, item] of entries) {
      if (failure) return;
      try {
        results[i] = await work(item);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, workOff));
  if (failure) throw failure.error;
  return results;
}
