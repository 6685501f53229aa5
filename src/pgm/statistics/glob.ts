/**
 * @returns whether a path fits the pattern: `*` stands for any text, with `/` or not, `?` for one character; `|`
 * separates alternatives; the empty pattern fits all. Source: RTStrSimplePatternMultiMatch.
 */
export function globMatcher(pattern: string): (path: string) => boolean {
  if (pattern === '') return () => true;
  const alternatives = pattern.split('|').map((glob) => glob.split('*'));
  return (path) => alternatives.some((parts) => matches(parts, path));
}

/**
 * Matches the parts of a pattern between the stars. Taking the first fit of each is enough, as only the last part is
 * bound to the end.
 */
function matches([first, ...rest]: readonly string[], path: string): boolean {
  if (!fitsAt(first, path, 0)) return false;
  const last = rest.pop();
  if (last === undefined) return path.length === first.length;
  let at = first.length;
  for (const part of rest) {
    while (at <= path.length && !fitsAt(part, path, at)) at++;
    at += part.length;
  }
  return path.length - last.length >= at && fitsAt(last, path, path.length - last.length);
}

function fitsAt(part: string, path: string, at: number): boolean {
  if (at + part.length > path.length) return false;
  for (let i = 0; i < part.length; i++) {
    if (part[i] !== '?' && part[i] !== path[at + i]) return false;
  }
  return true;
}
