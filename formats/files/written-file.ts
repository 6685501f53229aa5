import { EnvironmentError } from '../errors.ts';
import { Turns } from '../turns.ts';
import { world } from '../world/world.ts';
import { type ByteSource, sharedFile } from './source.ts';

/** An open file that is being written, and can be read meanwhile. */
export class WrittenFile {
  /** Name in messages. */
  readonly name: string;
  /** Descriptor, through which other threads of the process can write, too. */
  readonly fd: number;
  /** Once the file is closed, the descriptor may belong to another file. */
  protected isOpen = true;
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

  /** @param hasOtherWork the caller has other work until the promise is fulfilled: another thread may write */
  async writeAt(bytes: Uint8Array, position: number, hasOtherWork = false): Promise<void> {
    await this.attempt(async () => {
      for (let done = 0; done < bytes.length; ) {
        this.#expectOpen();
        done += await this.writeSome(bytes, done, position + done, hasOtherWork);
      }
    });
    if (this.#turns.areDue) await this.#turns.give();
  }

  async truncate(size: number): Promise<void> {
    await this.attempt(async () => {
      this.#expectOpen();
      world.disk.ftruncateSync(this.fd, size);
    });
  }

  async readBack(): Promise<ByteSource> {
    return this.attempt(async () => {
      this.#expectOpen();
      const { size } = world.disk.fstatSync(this.fd);
      return sharedFile({ fd: this.fd, name: this.name, size }, () => this.isOpen);
    });
  }

  /** Writes `bytes` from index `at` on; gives the number of bytes written. */
  protected writeSome(
    bytes: Uint8Array,
    at: number,
    position: number,
    _hasOtherWork: boolean,
  ): number | Promise<number> {
    // Synchronously, for the reason given at `FileSource`.
    return world.disk.writeSync(this.fd, bytes, at, bytes.length - at, position);
  }

  #expectOpen(): void {
    if (!this.isOpen) throw new EnvironmentError('EBADF', `Cannot write ${this.name}: it is closed`);
  }

  protected async attempt<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      throw error instanceof EnvironmentError ? error : EnvironmentError.from(error, `write ${this.name}`);
    }
  }
}
