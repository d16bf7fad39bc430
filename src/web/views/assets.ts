import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire, stripTypeScriptTypes } from 'node:module';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

/** A file that the browser loads. */
export interface Asset {
  readonly contentType: string;
  readonly bytes: Buffer;
}

interface AssetSet {
  readonly folder: string;
  readonly assets: ReadonlyMap<string, Asset>;
}

const javaScript = 'text/javascript; charset=utf-8';
const require = createRequire(import.meta.url);
const compressBrotli = promisify(brotliCompress);
const compressGzip = promisify(gzip);

/** Libraries, by the names that client code imports them by; what is appended makes a module of a plain script. */
const libraries = [
  { name: 'htmx.org', asset: 'htmx.js', file: 'htmx.org/dist/htmx.esm.min.js', end: '' },
  { name: 'uplot', asset: 'uplot.js', file: 'uplot/dist/uPlot.iife.min.js', end: '\nexport default uPlot;\n' },
] as const;

const iconSvg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 20"><g fill="#1a6e8e"><rect x="1" y="1" width="8" height="8" rx="2"/><rect x="11" y="1" width="8" height="8" rx="2"/><rect x="1" y="11" width="8" height="8" rx="2"/></g><rect x="11" y="11" width="8" height="8" rx="2" fill="#3fb68b"/></svg>`;

/** Client code runs from TypeScript where the project does; built code is plain already. */
function readClient(name: string): string {
  const text = readFileSync(new URL(`../client/${name}`, import.meta.url), 'utf8');
  const plain = name.endsWith('.ts') ? stripTypeScriptTypes(text) : text;
  const local = plain.replace(/(from |import\()'(\.\/[^']+)\.ts'/g, "$1'$2.js'");
  return libraries.reduce((code, { name: library, asset }) => code.replaceAll(`'${library}'`, `'./${asset}'`), local);
}

function namesIn(folder: string, ending: RegExp): string[] {
  return readdirSync(new URL(`../${folder}/`, import.meta.url))
    .filter((name) => ending.test(name) && !name.endsWith('.d.ts') && !name.endsWith('.test.ts'))
    .sort();
}

function readStyle(): string {
  const own = namesIn('style', /\.css$/).map((name) =>
    readFileSync(new URL(`../style/${name}`, import.meta.url), 'utf8'),
  );
  return [readFileSync(require.resolve('uplot/dist/uPlot.min.css'), 'utf8'), ...own].join('\n');
}

function readAssets(): AssetSet {
  const texts = new Map<string, { readonly contentType: string; readonly text: string }>();
  texts.set('admin.css', { contentType: 'text/css; charset=utf-8', text: readStyle() });
  texts.set('icon.svg', { contentType: 'image/svg+xml', text: iconSvg });
  for (const name of namesIn('client', /\.(ts|js)$/)) {
    texts.set(name.replace(/\.ts$/, '.js'), { contentType: javaScript, text: readClient(name) });
  }
  for (const { asset, file, end } of libraries) {
    const text = readFileSync(require.resolve(file), 'utf8').replace(/\/\/# sourceMappingURL=.*\s*$/, '');
    texts.set(asset, { contentType: javaScript, text: text + end });
  }
  const hash = createHash('sha256');
  for (const [name, { text }] of texts) hash.update(`${name}\n${text.length}\n${text}`);
  const assets = new Map(
    [...texts].map(([name, { contentType, text }]) => [name, { contentType, bytes: Buffer.from(text) }]),
  );
  return { folder: hash.digest('hex').slice(0, 16), assets };
}

let loaded: AssetSet | undefined;

function assetSet(): AssetSet {
  loaded ??= readAssets();
  return loaded;
}

/** The folder of the assets: a digest of all of them, so that they may be cached for ever and still import one another by plain names. */
export function assetFolder(): string {
  return assetSet().folder;
}

/** An asset by its name; undefined where there is none. */
export function findAsset(name: string): Asset | undefined {
  return assetSet().assets.get(name);
}

const encoded = new Map<string, Promise<Buffer>>();

/** An asset as a browser takes it, compressed once. */
export async function encodeAsset(
  name: string,
  asset: Asset,
  accepted: string,
): Promise<{ readonly encoding?: string; readonly bytes: Buffer }> {
  const encoding = /\bbr\b/.test(accepted) ? 'br' : /\bgzip\b/.test(accepted) ? 'gzip' : undefined;
  if (encoding === undefined) return { bytes: asset.bytes };
  const key = `${encoding} ${name}`;
  let bytes = encoded.get(key);
  if (bytes === undefined) {
    const mode = { params: { [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT } };
    bytes = encoding === 'br' ? compressBrotli(asset.bytes, mode) : compressGzip(asset.bytes, { level: 9 });
    encoded.set(key, bytes);
  }
  return { encoding, bytes: await bytes };
}
