/** The blocks of code in a text of Markdown; the language is empty where none is named. */
export function codeBlocks(markdown: string): { language: string; text: string }[] {
  return [...markdown.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language, text]) => ({ language, text }));
}
