/** The known word that an unknown one probably means: it is an abbreviation, or differs by one or two typing errors. */
export function nearest(word: string, words: readonly string[]): string | undefined {
  const begun = words.filter((each) => word.length > 1 && each.startsWith(word));
  if (begun.length === 1) return begun[0];
  const most = Math.min(2, Math.floor(word.length / 3));
  const near = words.map((each) => ({ each, slips: slips(word, each) })).filter((candidate) => candidate.slips <= most);
  return near.sort((a, b) => a.slips - b.slips)[0]?.each;
}

/**
 * Number of letters to add, drop, change or swap with their neighbour between two words (optimal string alignment
 * distance).
 */
function slips(from: string, to: string): number {
  let [before, last] = [[] as number[], Array.from({ length: to.length + 1 }, (_, i) => i)];
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      row[j] = Math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (from[i - 1] === to[j - 1] ? 0 : 1));
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1])
        row[j] = Math.min(row[j], before[j - 2] + 1);
    }
    [before, last] = [last, row];
  }
  return last[to.length];
}
