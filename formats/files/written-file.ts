import { EnvironmentError } from '../errors.ts';
import { Turns } from '../turns.ts';
import { world } from '../world/world.ts';
import { type ByteSource, sharedFile } from './source.ts';

/** An open file that is being written, and can be read meanwhile. */
export class WrittenFile {
  /** For messages. */
  readonly name: string;
  /** Other threads of the process can write to it, too. */
  readonly fd: number;
  readonly #turns = Turns.rare();
  #position = 0;

  /** @param fd for reading and writing */
  constructor(name: string, fd: number) {
    this.name = name;
    this.fd = fd;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.writeAt(bytes, this.#position);
    this.#position += bytes.length;
  }

  async writeAt(bytes: Uint8Array, position: number): Promise<void> {
    await this.attempt(async () => {
      for (let done = 0; done < bytes.length; ) {
        // Synchronously, for the reason that FileSource gives.
        done += world.disk.writeSync(this.fd, bytes, done, bytes.length - done, position + done);
      }
    });
    if (this.#turns.areDue) await this.#turns.give();
  }

  async truncate(size: number): Promise<void> {
    await this.attempt(async () => world.disk.ftruncateSync(this.fd, size));
  }

  async readBack(): Promise<ByteSource> {
    return sharedFile({ fd: this.fd, name: this.name, size: world.disk.fstatSync(this.fd).size });
  }

  protected async attempt<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      throw error instanceof EnvironmentError ? error : EnvironmentError.from(error, `write ${this.name}`);
    }
  }
}
