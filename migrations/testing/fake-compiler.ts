import { chmodSync, writeFileSync } from 'node:fs';

/**
 * A compiler that leaves a script in place of the program that notes writes (write-watch.c).
 * @param script one line for a shell, quoted for printf
 */
export function compilerThatMakes(compiler: string, script: string): string {
  writeFileSync(compiler, `#!/bin/sh\nprintf '#!/bin/sh\\n${script}\\n' > "$3" && chmod +x "$3"\n`);
  chmodSync(compiler, 0o755);
  return compiler;
}
