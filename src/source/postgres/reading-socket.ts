import { Socket } from 'node:net';

const bufferBytes = 256 * 1024;

/**
 * A socket that reads into one piece of memory again and again, instead of memory of its own for every read. Listeners to `data` get a copy,
 * unless they are told to be {@link ReadingSocket.isBorrowed}: then what they get is theirs until they return.
 */
export class ReadingSocket extends Socket {
  /** The listeners do not keep what they get. */
  isBorrowed = false;

  constructor() {
    const buffer = Buffer.allocUnsafeSlow(bufferBytes);
    super({
      onread: {
        buffer,
        callback: (sizeBytes: number): boolean => {
          const bytes = buffer.subarray(0, sizeBytes);
          this.emit('data', this.isBorrowed ? bytes : Buffer.from(bytes));
          return true;
        },
      },
    } as ConstructorParameters<typeof Socket>[0]);
  }
}
