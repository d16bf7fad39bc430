const limitBytes = 4096;
const shownCharacters = 1000;

/** The end of what a program said, for the message of an error; what is known to be secret is taken out. */
export class OutputTail {
  readonly #secrets: readonly string[];
  #bytes: Buffer = Buffer.alloc(0);

  /** `secrets` of less than four characters are not looked for: they would take out parts of other words. */
  constructor(secrets: readonly string[]) {
    this.#secrets = secrets.filter((secret) => secret.length >= 4);
  }

  add(chunk: Uint8Array): void {
    const joined = Buffer.concat([this.#bytes, chunk]);
    this.#bytes = Buffer.from(joined.subarray(Math.max(0, joined.length - limitBytes)));
  }

  get text(): string {
    let text = this.#bytes.toString('utf8');
    for (const secret of this.#secrets) text = text.replaceAll(secret, '[redacted]');
    const lines = text
      .replace(/(:\/\/[^\s:/@]*:)[^\s@]+@/g, '$1[redacted]@')
      .split(/[\r\n]+/)
      .map((line) => line.trim());
    return lines
      .filter((line) => line !== '')
      .join('; ')
      .slice(-shownCharacters);
  }
}
