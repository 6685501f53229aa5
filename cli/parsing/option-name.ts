/** The long name of an option as users type it, from its name in yargs: `keep-in` for `keepIn`. */
export function typedName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
