/** JSON that an entry carries in the sealed index. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };
/** What an entry carries beside its bytes: see `docs/format.md` section 6. */
export type EntryMetadata = { readonly [key: string]: JsonValue };
