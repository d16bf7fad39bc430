/** Ends of what has a beginning of its own. */
const tokens = /'|"|\$[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*\$|\$\$|--|\/\*|;/g;
const blank = /\s*/y;

/** Finds where statements end in a text that is whole in memory: not in quotes, dollar quotes or comments. */
export class SqlScanner {
  /** Where the next statement begins, or blanks before it. */
  at = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** Passes over blanks; comments are left, since they may tell something. */
  skipBlank(): number {
    blank.lastIndex = this.at;
    blank.exec(this.#text);
    this.at = blank.lastIndex;
    return this.at;
  }

  /** Passes over a comment that ends with its line; false where there is none. */
  skipComment(): boolean {
    if (!this.#text.startsWith('--', this.at)) return false;
    this.at = this.#after('\n', this.at);
    return true;
  }

  /** The next statement, its semicolon included; a command of `psql` to the end of its line. Undefined at the end. */
  next(): string | undefined {
    const begin = this.skipBlank();
    if (begin >= this.#text.length) return undefined;
    this.at = this.#text[begin] === '\\' ? this.#after('\n', begin) : this.#statementEnd(begin);
    return this.#text.slice(begin, this.at).trimEnd();
  }

  #after(mark: string, from: number): number {
    const found = this.#text.indexOf(mark, from);
    return found < 0 ? this.#text.length : found + mark.length;
  }

  #statementEnd(begin: number): number {
    for (let at = begin; ; ) {
      tokens.lastIndex = at;
      const found = tokens.exec(this.#text);
      if (found === null) return this.#text.length;
      const [token] = found;
      const from = tokens.lastIndex;
      if (token === ';') return from;
      if (token === "'")
        at = this.#quoteEnd(from, /(^|[^\w$])[eE]$/.test(this.#text.slice(Math.max(0, from - 3), from - 1)));
      else if (token === '/*') at = this.#commentEnd(from);
      // A dollar within a name begins nothing.
      else if (token[0] === '$' && /[\w$\u0080-\uffff]/.test(this.#text[found.index - 1] ?? '')) at = from;
      else at = this.#after(token === '--' ? '\n' : token, from);
    }
  }

  #quoteEnd(from: number, hasEscapes: boolean): number {
    const end = hasEscapes ? /\\[\s\S]|'/g : /'/g;
    for (let at = from; ; ) {
      end.lastIndex = at;
      const found = end.exec(this.#text);
      if (found === null) return this.#text.length;
      at = end.lastIndex;
      if (found[0] === "'") return at;
    }
  }

  /** Comments of this kind hold others. */
  #commentEnd(from: number): number {
    const mark = /\/\*|\*\//g;
    let depth = 1;
    for (let at = from; depth > 0; ) {
      mark.lastIndex = at;
      const found = mark.exec(this.#text);
      if (found === null) return this.#text.length;
      depth += found[0] === '/*' ? 1 : -1;
      from = mark.lastIndex;
      at = from;
    }
    return from;
  }
}
