/** JSON that an entry carries in the sealed index. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };
export type EntryMetadata = { readonly [key: string]: JsonValue };
