/** The long name of an option, as it is typed, of its name as yargs hands it over: `keep-in` of `keepIn`. */
export function typedName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
