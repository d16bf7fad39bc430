/** The header that makes a browser save a body under a name: RFC 6266, with RFC 8187 for what is not ASCII. No name breaks out of it. */
export function contentDisposition(name: string): string {
  const base = name.split('/').at(-1) ?? '';
  const wellFormed = base.toWellFormed();
  const plain = wellFormed.replace(/[^\x20-\x7e]|["\\%;]/g, '_').slice(0, 200) || 'download';
  const encoded = encodeURIComponent(wellFormed.slice(0, 200).toWellFormed()).replace(
    /['()*]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}
