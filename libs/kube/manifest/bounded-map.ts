/** As `Promise.all` over `map`, with so many at a time: a cluster has other callers too. After a failure none is begun. */
export async function boundedMap<Item, Result>(
  items: readonly Item[],
  most: number,
  map: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const rest = items.entries();
  let failed = false;
  const work = async (): Promise<void> => {
    for (const [at, item] of rest) {
      if (failed) return;
      try {
        results[at] = await map(item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: most }, work));
  return results;
}
