/** The web admin, for mounting it in a server: `holdfast/web`. */
export type { ClientInfo, TrustedProxy } from './access/access-environment.ts';
export type { SessionLimits } from './access/access-store.ts';
export type { PasswordCost } from './access/passwords.ts';
export { createHandler, type HoldfastHandler } from './create-handler.ts';
export {
  type ListeningServer,
  type NodeRequest,
  nodeListener,
  type ServeHttpOptions,
  serveHttp,
  type WebHandler,
} from './serve-http.ts';
export type { UploadLimits } from './services/uploads.ts';
export type { WebConfig } from './web-config.ts';
export type { Role, WebUser } from './web-environment.ts';
