/** A number of things as people say it: `1 round`, `2 rounds`. @param plural if not made by an s */
export function countText(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}
