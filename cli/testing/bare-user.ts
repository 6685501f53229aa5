import { type SpawnSyncOptions, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

const NOBODY = 65534;
const TOOLS = ['npm', 'npx', 'sh', 'env', 'cat', 'find', 'ls', 'mkdir', 'tar', 'uname'];
/** Variables by which a host gets to its registry; nothing else of the environment is passed on. */
const REGISTRY =
  /^(npm_config_(registry|cafile|proxy|https_proxy|noproxy)|https?_proxy|no_proxy|node_extra_ca_certs)$/i;

/**
 * A user with as little as can be: no Python, no compiler, no network but the registry, a home that can't be written, a
 * umask of 077, a folder whose name is not plain ASCII; and nobody's rights, where this process may take them. For
 * POSIX systems.
 */
export class BareUser {
  /** The only place that they can write. */
  readonly folder: string;
  readonly #base = mkdtempSync(join(tmpdir(), 'savkit-user-'));
  readonly #options: SpawnSyncOptions;

  /** @param node the program to run savkit with */
  constructor(node = process.execPath) {
    const [tools, home, cache] = ['tools', 'home', 'cache'].map((name) => join(this.#base, name));
    this.folder = join(this.#base, 'plä ce');
    for (const each of [tools, home, cache, this.folder]) mkdirSync(each);
    for (const name of TOOLS) symlinkSync(found(name), join(tools, name));
    symlinkSync(realpathSync(node), join(tools, 'node'));
    chmodSync(home, 0o555);
    const passed = Object.entries(process.env).filter(([name]) => REGISTRY.test(name));
    const env = {
      ...Object.fromEntries(passed),
      PATH: tools,
      HOME: home,
      npm_config_cache: cache,
      npm_config_update_notifier: 'false',
      npm_config_audit: 'false',
      npm_config_fund: 'false',
      // Prebuilt programs are not in the registry: here their place is a port where nobody listens.
      npm_config_zstd_napi_binary_host: 'http://127.0.0.1:1',
    };
    this.#options = { cwd: this.folder, env };
    if (process.getuid?.() !== 0) return;
    chmodSync(this.#base, 0o755);
    for (const each of [cache, this.folder]) chownSync(each, NOBODY, NOBODY);
    const nobody = { ...this.#options, uid: NOBODY, gid: NOBODY };
    // If Node lies in a home that only root may enter, root stays.
    if (spawnSync('npm', ['--version'], nobody).status === 0) this.#options = nobody;
  }

  /**
   * Runs a line of sh in a folder of theirs. @returns what it printed, on stdout and stderr. @throws Error when it
   * fails
   */
  run(line: string, { cwd = this.folder, input = Buffer.alloc(0) }: { cwd?: string; input?: Buffer } = {}): string {
    const { status, stdout } = spawnSync('sh', ['-c', `umask 077; exec 2>&1; ${line}`], {
      ...this.#options,
      cwd,
      input,
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`\`${line}\` ended with ${status}:\n${stdout}`);
    return String(stdout);
  }

  remove(): void {
    rmSync(this.#base, { recursive: true, force: true });
  }
}

/** Finds a program in this process's PATH. */
function found(name: string): string {
  const path = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name));
  const at = path.find((each) => existsSync(each));
  if (!at) throw new Error(`There is no ${name} in the PATH`);
  return at;
}
