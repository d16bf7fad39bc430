/** A real server that a test started on the loopback, with data of its own. */
export interface Service {
  /** Of the database that every new server has, with the user and the password. */
  readonly url: string;
  /** Always 127.0.0.1. */
  readonly host: string;
  readonly port: number;
  /** For example `15.18`. */
  readonly version: string;
  readonly processId: number;
  /** The end of the server's log. */
  readonly log: string;
  /** Ends the server in good order and removes its data. May be called again. */
  stop(): Promise<void>;
  /** Ends it by SIGKILL, as a crash does; the data stay. No process of it is left when this is done. */
  kill(): Promise<void>;
  /** Starts it again on the same port with the same data: after {@link kill}, or ending it in good order first. */
  restart(): Promise<void>;
}
